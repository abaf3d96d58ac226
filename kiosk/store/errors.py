"""What the store refuses, and why.

StoreError                what a person at the desk is told; says what to do next
|-- StorageFull           no room; nothing was half done, and it works again once there is room
|-- StorageFailed         the disk failed; whether the last transaction took effect must be read again
|-- ReplicaUnreadable     wrong key or damaged file
|   `-- ReplicaForeign    it opens, and belongs to another device; nothing is wrong with it
|-- ReplicaTooNew         written by a newer version of this program
|-- ReplicaInUse          another program has it open
|-- JournalForked         the server knows another journal of this device
`-- GapInLog              a page does not follow the cursor
    `-- BrokenPage        it follows, and is not what its hashes say
"""


class StoreError(Exception):
    """Base of everything the store raises."""


class StorageFull(StoreError):
    """No room on the disk, or the file reached its bound."""


class StorageFailed(StoreError):
    """Reading or writing failed."""


class ReplicaUnreadable(StoreError):
    """The file does not open with this device's key, or holds what this program never wrote."""


class ReplicaForeign(ReplicaUnreadable):
    """The file is another device's."""


class ReplicaTooNew(StoreError):
    """The schema is newer than this program."""


class ReplicaInUse(StoreError):
    """Another program holds the lock."""


class JournalForked(StoreError):
    """The server's answer contradicts the journal here."""


class GapInLog(StoreError):
    """A page or part that cannot be applied where the replica stands."""


class BrokenPage(GapInLog):
    """A page follows the cursor and is not what its hashes say: here or there, the log is not what it was."""
