"""The invented names of the sample centre, by the language they come from."""

from typing import Final, NamedTuple


class Names(NamedTuple):
    """Family names, given names of children, and given names of adults."""

    families: tuple[str, ...]
    children: tuple[str, ...]
    adults: tuple[str, ...]


POOLS: Final = (
    Names(
        ("Ashworth", "Pemberton-Hale", "O'Brien", "MacLeod", "Thorne", "Whitlock", "Fairfax", "St. Clair"),
        ("Amelia", "Freddie", "Isla", "Arthur", "Poppy", "Jack", "Elsie", "Theo", "Niamh", "Rory", "Edie"),
        ("Hannah", "Callum", "Siobhán", "Graham", "Fiona", "Martin", "Rebecca", "Declan", "Joanne", "Euan"),
    ),
    Names(
        ("Núñez", "Ibáñez Soler", "Ferreira", "d'Almeida", "García-Ruiz", "Peña"),
        ("Lucía", "Mateo", "Inês", "Tomás", "Sofía", "Hugo", "Beatriz", "Joaquín", "Martín"),
        ("María José", "Andrés", "Conceição", "João", "Pilar", "Íñigo", "Teresa", "Raúl"),
    ),
    Names(
        ("Müller", "Lefèvre", "Dubois-Martin", "Grünwald", "van der Berg", "Lacroix"),
        ("Léa", "Jürgen", "Zoë", "Noé", "Anaïs", "Émile", "Maëlle", "Jonas", "Greta"),
        ("Céline", "Björn", "Hélène", "Günther", "Margriet", "François", "Annegret", "Loïc"),
    ),
    Names(
        ("Kowalczyk", "Dvořák", "Svoboda", "Şahin", "Yılmaz", "Popović"),  # noqa: RUF001 - a Turkish name has it
        ("Zofia", "Jakub", "Łucja", "Ondřej", "Elif", "Emre", "Milica", "Staś", "Defne"),
        ("Agnieszka", "Paweł", "Kateřina", "Tomáš", "Ayşe", "Mehmet", "Jelena", "Gökhan"),
    ),
    Names(
        ("Okafor", "Adébáyò", "Mensah", "N'Diaye", "Haddad", "Al-Rashid", "Tesfaye"),
        ("Chidi", "Amina", "Kwame", "Yasmin", "Ọlá", "Idris", "Selam", "Nia", "Samir"),
        ("Ngozi", "Emeka", "Akosua", "Ousmane", "Layla", "Karim", "Hanna", "Dawit", "Folake"),
    ),
    Names(
        ("Nguyễn", "Tanaka", "Chaudhary", "Krishnan", "Wong", "Sharma", "Park"),
        ("Linh", "Haruto", "Ananya", "Ravi", "Mei", "Minjun", "Priya", "Kenji", "An"),
        ("Thảo", "Yuki", "Deepa", "Suresh", "Kar-Wai", "Ji-woo", "Meera", "Quân", "Naoko"),
    ),
    Names(
        ("Jónsdóttir", "Åkesson", "Nørgaard", "Virtanen", "Ó Súilleabháin"),
        ("Freyja", "Søren", "Aino", "Åse", "Oisín", "Lumi", "Caoimhe", "Nils"),
        ("Sigríður", "Ólafur", "Mette", "Jukka", "Aoife", "Pádraig", "Ingrid", "Håkon"),
    ),
)

SHORT_NAMES: Final = {
    "Amelia": "Millie", "Arthur": "Art", "Beatriz": "Bia", "Joaquín": "Quino", "Zofia": "Zosia", "Ananya": "Anu",
    "Caoimhe": "Keeva", "Samir": "Sami", "Jakub": "Kuba",
}  # fmt: skip

STAFF: Final = (
    ("Margaret", "Holloway", "manager"),
    ("Tomasz", "Wiśniewski", "educator"),
    ("Grace", "Achebe", "educator"),
    ("Siân", "Llewellyn", "educator"),
    ("Rahul", "Bhatt", "educator"),
    ("Chloé", "Moreau", "educator"),
    ("Isabel", "Cortés", "educator"),
    ("Keiko", "Yamada", "educator"),
    ("Dermot", "O'Farrell", "educator"),
    ("Ruth", "Appiah", "assistant"),
    ("Marek", "Horák", "assistant"),
    ("Leila", "Karimi", "assistant"),
    ("Peter", "Underwood", "support"),
    ("Anneke", "de Vries", "support"),
)
