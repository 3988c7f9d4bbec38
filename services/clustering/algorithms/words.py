"""The words of a photo's or text's metadata that may name a group."""

import re
import unicodedata

_SHORTEST = 3
_LONGEST = 20

# Words that cameras, phones and people put into file names of every subject.
_CAMERA = """
    img imgp dsc dscn dscf dscfx pxl mvimg gopr gopro cimg pict sam hpim dji mov vid video pano
    burst hdr raw jpg jpeg png heic heif webp gif tif tiff avif bmp svg dng nef arw orf cr2
    photo photos image images pic pics picture pictures screenshot screen shot scan scanned
    camera snapshot file files untitled unnamed unknown copy final edit edited edt new old tmp
    temp test draft version small large medium thumb thumbnail original resized cropped whatsapp
    telegram signal instagram facebook download downloads upload uploads export exported dcim
    batch album january february march april may june july august september october november
    december jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun
"""
_GLUE = """
    the and for with from that this these those its his her our your their into over under near
    are was were has have had been being not but you she him they them who what when where which
    why how all any some one two three four five can could will would should may might must just
    very more most much many than then there here about after before between through while also
    out off per via etc within without across against among onto upon only other another each both
    such same own too now let get got showing shows shown seen see view featuring features against
    photo photograph background foreground closeup close taken using use used
    """
STOP_WORDS = frozenset((_CAMERA + _GLUE).split())

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?", re.UNICODE)
_CODE = re.compile(r"\d|^[a-f]{6,}$")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{2,5}$")


def words_of_file(path: str) -> list[str]:
    """Words of a file name and its folders: "Trips/BeachSunset_IMG_1234.jpg" has trips, beach,
    sunset.
    """
    return words_of_text(_CAMEL.sub(" ", _EXTENSION.sub("", path)).replace("_", " "))


def words_of_text(text: str) -> list[str]:
    """Lower-case words in order, without glue words, numbers, codes and identifiers."""
    plain = unicodedata.normalize("NFC", _UUID.sub(" ", text))
    return [word for token in _WORD.findall(plain) if _is_word(word := token.casefold())]


def _is_word(word: str) -> bool:
    shortest = _SHORTEST if word.isascii() else 2
    return shortest <= len(word) <= _LONGEST and word not in STOP_WORDS and not _CODE.search(word)
