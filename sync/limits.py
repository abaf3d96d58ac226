"""Every bound of the protocol, with its unit and the arithmetic or precedent behind it."""

from typing import Final

PROTOCOL_VERSION: Final = 2
# The one before stays understood, on both sides.
PROTOCOL_MIN: Final = 1
SUBPROTOCOL: Final = "rollcall.sync.v1"

# One message is one frame; this is what a peer accepts at most.
FRAME_BYTES_MAX: Final = 256 * 1024
# What we put into one frame beside its envelope. A link of 64 kbit/s moves 64 KiB in 8.2 s, well within the silence
# that is tolerated below; a whole frame of 256 KiB would take 33 s, and such a link would be given up for ever.
PAYLOAD_BYTES_MAX: Final = 64 * 1024
# A unit of the log, or one record, must fit a frame whatever it weighs.
UNIT_BYTES_MAX: Final = FRAME_BYTES_MAX - 8 * 1024

# A journal entry's body: an event with every text at its longest is under 10 KiB (twelve texts of 800
# bytes at most, 50 ids and codes of 43); half as much again is generous.
ENTRY_BODY_BYTES_MAX: Final = 16 * 1024
# Brackets in an event's JSON: an event is flat and has a handful; deep nesting is an attack on the next parser.
EVENT_NESTING_MAX: Final = 64
# Events that one event names, and warnings it tells of: a day of corrections of one child is a handful.
EVENT_NAMES_MAX: Final = 16
# A record's body, e.g. a child with twenty alerts of 500 characters each in four-byte letters: 40 KiB.
RECORD_BODY_BYTES_MAX: Final = 64 * 1024
# At most, when entries are small; the bytes above end a push or a page earlier.
PUSH_ENTRIES_MAX: Final = 500
PAGE_CHANGES_MAX: Final = 500
SNAPSHOT_PART_RECORDS_MAX: Final = 500
# Pages sent and not yet `Applied`: at most 4 frames, 1 MiB, wait in a slow device's buffers.
PAGES_IN_FLIGHT_MAX: Final = 4
# Parts of one snapshot: 10,000 records at 500 a part are 20; 4,096 admits 2 million.
SNAPSHOT_PARTS_MAX: Final = 4_096

# Older journals that a device still keeps entries of: each fork begins another one, and each is gone after 30 days.
JOURNALS_MAX: Final = 8
# Buckets whose digests travel in one message: reference and a day each for REPLICA_DAYS, with room to spare.
BUCKETS_MAX: Final = 64
# Facts beside an incident's name.
INCIDENT_DETAILS_MAX: Final = 16

HEARTBEAT_INTERVAL_MS: Final = 5_000
# A device writes down what a heartbeat said of its clock and its lease once a minute, not every 5 s: a synced write
# each time would be 17,000 a day on a desk where nothing happens. A short lease is renewed four times while it lasts.
CLOCK_NOTE_INTERVAL_MS: Final = 60_000
# A half-open link must be noticed within 15 s: two lost heartbeats and a third that is late.
SILENCE_MAX_MS: Final = 14_000
# Welcome needs one query; more than 10 s means that the other side cannot serve us now.
HELLO_DEADLINE_MS: Final = 10_000
WELCOME_DEADLINE_MS: Final = 10_000
# "Queue not empty and no acknowledgement for 30 s": connected, but nothing moves.
ACKNOWLEDGEMENT_DEADLINE_MS: Final = 30_000
# A snapshot must make progress, part by part.
SNAPSHOT_PART_DEADLINE_MS: Final = 30_000
# The log is known to be longer, and no page came: connected, but nothing moves.
PAGE_DEADLINE_MS: Final = 30_000

# A token is proved anew within the link this long before it runs out: time for two tries over a slow link.
REAUTH_BEFORE_MS: Final = 120_000
# How long the server waits at most for an overloaded store before the device pushes again.
SLOW_DOWN_MAX_MS: Final = 10_000

BACKOFF_FIRST_MS: Final = 1_000
# Everything is equal within 60 s of healing: the longest wait that is under way (20 s), a dial that still meets what is
# left of the fault (10 s without a Welcome), one more wait (20 s), and 10 s to catch up.
BACKOFF_MAX_MS: Final = 20_000
# What a server may ask at most when it sends a device away.
ADVISED_WAIT_MAX_MS: Final = 60_000

# How long a desk may work without having heard the server: the product promises weeks.
LEASE_MS: Final = 30 * 24 * 3_600_000

# How long a desk keeps days of attendance, and how far back a fold looks.
REPLICA_DAYS: Final = 14
# Entries stay on the device after their acknowledgement, to heal a server that was restored from a backup.
JOURNAL_RETENTION_MS: Final = 30 * 24 * 3_600_000

# Wall times outside 2000-01-01 .. 2100-01-01 (UTC milliseconds) are impossible, not late.
WALL_MS_MIN: Final = 946_684_800_000
WALL_MS_MAX: Final = 4_102_444_800_000
INT64_MAX: Final = 2**63 - 1
HASH_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
NONCE_BYTES: Final = 32
