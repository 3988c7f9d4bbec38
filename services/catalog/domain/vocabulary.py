"""The words of which the offline writer makes its briefs, for subjects of several kinds.

Each entry is chosen so that it can stand beside any other of another list: how to look, by which
light, where, what is going on, and how to fill the frame.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from libs.text.words import stem, stems


class Kind(StrEnum):
    """What sort of thing a subject is; decides which settings suit it."""

    PLACE = "place"
    FOOD = "food"
    THING = "thing"
    PEOPLE = "people"
    ANY = "any"


class Distance(StrEnum):
    """How far away a look or a frame takes its subject to be."""

    NEAR = "near"
    FAR = "far"
    ANY = "any"


class Roof(StrEnum):
    """Where something is found."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    ANYWHERE = "anywhere"


class Look(NamedTuple):
    """A way to look: as it stands in a title, as it begins a sentence, and how it is done."""

    title: str
    phrase: str
    how: str
    distance: Distance = Distance.ANY


class Light(NamedTuple):
    """A light: as it stands in a title, and as it ends a sentence."""

    title: str
    phrase: str
    roof: Roof = Roof.ANYWHERE


class Place(NamedTuple):
    """Where the subject is."""

    phrase: str
    roof: Roof = Roof.ANYWHERE


class Frame(NamedTuple):
    """A way to fill the frame, and how it is done."""

    phrase: str
    how: str
    distance: Distance = Distance.ANY


@dataclass(frozen=True, slots=True)
class Scenery:
    """What suits one kind of subject."""

    looks: tuple[Look, ...]
    places: tuple[Place, ...]
    moments: tuple[str, ...]


def agree(look: Look, frame: Frame) -> bool:
    """Whether both take the subject to be equally far away."""
    return Distance.ANY in (look.distance, frame.distance) or look.distance is frame.distance


def suits(light: Light, place: Place) -> bool:
    """Whether that light can be found there."""
    return Roof.ANYWHERE in (light.roof, place.roof) or light.roof is place.roof


_ANY_LOOKS = (
    Look(
        "close up",
        "Close-up of",
        "Go near enough that texture fills most of the frame.",
        Distance.NEAR,
    ),
    Look(
        "from afar",
        "Wide view of",
        "Step back until the surroundings explain the subject.",
        Distance.FAR,
    ),
    Look(
        "in detail",
        "Detail study of",
        "Pick one part, and let the rest fall out of the frame.",
        Distance.NEAR,
    ),
    Look("at eye level", "Eye-level view of", "Keep the lens level, as if you met by chance."),
    Look("from below", "Low-angle view of", "Get low, so that ceiling or sky is the background."),
    Look(
        "through the foreground",
        "View past a blurred foreground to",
        "Hold something out of focus close to the lens.",
    ),
    Look("in silhouette", "Silhouette of", "Expose for what is bright behind, and let it go dark."),
    Look(
        "reflected",
        "Reflection of",
        "Find it in glass, water or polished metal, and focus on the reflection.",
    ),
    Look(
        "in motion",
        "Slow-shutter view of",
        "Use a slow shutter from a steady stand: one thing blurs, the rest stays sharp.",
    ),
    Look(
        "off centre",
        "Small-in-the-frame view of",
        "Let the subject take up no more than a tenth of the picture.",
        Distance.FAR,
    ),
)

_TABLE_LOOKS = (
    Look("from above", "Overhead view of", "Shoot straight down and keep the edges clear."),
    Look("laid out flat", "Flat lay of", "Arrange it on one plane, parallel to the sensor."),
    Look("half done", "Work in progress with", "Stop in the middle of the job and shoot."),
    Look("by hand", "Hands at work with", "Focus on the hands; leave the face out."),
    Look("every day", "Everyday scene with", "Do the real thing at its real pace; keep shooting."),
)

_PLACE_LOOKS = (
    Look(
        "from high up",
        "High viewpoint over",
        "Find a window, a wall or a hill to stand on.",
        Distance.FAR,
    ),
    Look(
        "along a line",
        "Leading-line view of",
        "Let a kerb, a fence or a shore run from a corner to the subject.",
    ),
    Look(
        "through a frame",
        "View through a window or arch of",
        "Keep the frame dark and the view bright.",
    ),
    Look(
        "in layers",
        "Telephoto layers of",
        "Use the longest lens, and stack near over far.",
        Distance.FAR,
    ),
)

_PEOPLE_LOOKS = (
    Look("from behind", "View from behind of", "Follow, and let the back tell the story."),
    Look("in pairs", "Double portrait of", "Take two, and shoot when they forget the camera."),
    Look("in profile", "Profile of", "Show it from the side, against something plain."),
    Look("across the room", "Candid view across a room of", "Wait until nobody minds you."),
)

LIGHTS = (
    Light("at first light", "in the low, cool light just after sunrise"),
    Light("by a window", "in soft light that falls in from one side", Roof.INSIDE),
    Light("at noon", "in hard midday sun with short, dark shadows"),
    Light("in the shade", "in open shade, even and without glare", Roof.OUTSIDE),
    Light("before sunset", "in warm, raking light an hour before sunset"),
    Light("against the light", "lit from behind, so that the edges glow"),
    Light("under clouds", "under a bright overcast sky, the colours quiet", Roof.OUTSIDE),
    Light("at blue hour", "in the blue quarter of an hour after sunset, one warm lamp on"),
    Light("after rain", "just after rain, every surface dark and shining", Roof.OUTSIDE),
    Light("by lamplight", "by a single warm lamp, the rest falling into shadow", Roof.INSIDE),
    Light("in dappled light", "in light that leaves or a blind have broken up"),
    Light("in haze", "in morning haze that swallows the background", Roof.OUTSIDE),
    Light("in winter sun", "in low winter sun, the shadows long and thin"),
    Light("at night", "after dark, with only what lamps and screens give"),
)

_ANY_PLACES = (
    Place("in everyday use"),
    Place("in a place that is almost empty"),
    Place("half inside a doorway and half out"),
    Place("against a plain background"),
    Place("among the usual surroundings"),
    Place("on a surface with a history of scratches and stains"),
    Place("a few steps from an open door"),
    Place("in a corner that is usually passed by"),
    Place("next to something ten times as old"),
    Place("in the middle of an ordinary weekday"),
    Place("at the very start of a season"),
    Place("in a borrowed place, not at home"),
)

_FOOD_PLACES = (
    Place("on a worn wooden table", Roof.INSIDE),
    Place("on a kitchen counter in use", Roof.INSIDE),
    Place("on a tray beside an unmade bed", Roof.INSIDE),
    Place("on linen with the creases left in", Roof.INSIDE),
    Place("on a deep window sill", Roof.INSIDE),
    Place("on a stone step outside", Roof.OUTSIDE),
    Place("at a small café table", Roof.INSIDE),
    Place("next to an open book", Roof.INSIDE),
    Place("in a shallow bowl on a dark surface", Roof.INSIDE),
    Place("beside the sink after washing up", Roof.INSIDE),
    Place("at a market stall", Roof.OUTSIDE),
    Place("on a blanket in the grass", Roof.OUTSIDE),
)

_THING_PLACES = (
    Place("on a chair by a window", Roof.INSIDE),
    Place("against a plain plaster wall", Roof.INSIDE),
    Place("on a workbench among tools", Roof.INSIDE),
    Place("on a shelf with space around", Roof.INSIDE),
    Place("on a doorstep", Roof.OUTSIDE),
    Place("on rumpled sheets", Roof.INSIDE),
    Place("on a bare concrete floor", Roof.INSIDE),
    Place("in a hallway, as if just set down", Roof.INSIDE),
    Place("on a table cleared of everything else", Roof.INSIDE),
    Place("in front of a dark curtain", Roof.INSIDE),
    Place("on a bench outdoors", Roof.OUTSIDE),
    Place("in an open drawer or box", Roof.INSIDE),
)

_PLACE_PLACES = (
    Place("seen from the edge of a path", Roof.OUTSIDE),
    Place("with an empty foreground", Roof.OUTSIDE),
    Place("with a long wall down one side", Roof.OUTSIDE),
    Place("between two dark walls or trees", Roof.OUTSIDE),
    Place("at the first turn of the road", Roof.OUTSIDE),
    Place("with weather coming in", Roof.OUTSIDE),
    Place("on the quieter side", Roof.OUTSIDE),
    Place("seen from across the road", Roof.OUTSIDE),
    Place("where the way bends out of sight", Roof.OUTSIDE),
    Place("beside a wall that catches the light", Roof.OUTSIDE),
    Place("with a bicycle or a boat to give scale", Roof.OUTSIDE),
    Place("from a bench where people wait", Roof.OUTSIDE),
)

_PEOPLE_PLACES = (
    Place("at a kitchen table", Roof.INSIDE),
    Place("in a doorway", Roof.INSIDE),
    Place("on a stairway", Roof.INSIDE),
    Place("at a window, looking out", Roof.INSIDE),
    Place("on a bench outside", Roof.OUTSIDE),
    Place("on a quiet street", Roof.OUTSIDE),
    Place("in a room with the furniture pushed back", Roof.INSIDE),
    Place("against a plain wall", Roof.INSIDE),
    Place("in the middle of a task", Roof.INSIDE),
    Place("at the edge of a group", Roof.INSIDE),
    Place("under a porch in the rain", Roof.OUTSIDE),
    Place("in a garden", Roof.OUTSIDE),
)

_ANY_MOMENTS = (
    "just after somebody has left",
    "with a hand entering from the edge",
    "with one thing out of place",
    "as light moves across",
    "as something is about to begin",
    "as something has just ended",
    "with signs of wear left visible",
    "with the shadow of something outside the frame",
    "with dust or steam in the air",
    "with a second, smaller subject behind",
    "with a single strong colour",
    "with nothing that moves",
)

_FOOD_MOMENTS = (
    "steam still rising",
    "a hand reaching in from the edge",
    "crumbs left where they fell",
    "the first sip or bite gone",
    "something being poured",
    "a spoon left in",
    "two portions, one untouched",
    "a cloth thrown down close by",
    "the ingredients half prepared",
    "a newspaper pushed aside",
    "a ring left by a cup",
    "the chair opposite pulled out",
)

_THING_MOMENTS = (
    "a hand just letting go",
    "one loose end left in",
    "half in shadow",
    "one piece out of line with the others",
    "signs of wear shown on purpose",
    "dust hanging in the light",
    "the tool that made it lying near",
    "the shadow of a window falling across",
    "turned away from the camera",
    "something borrowed standing next to it",
    "beaded with drops of water",
    "just unpacked, the paper still there",
)

_PLACE_MOMENTS = (
    "nobody in sight",
    "one person crossing, small in the frame",
    "a bird as the only thing that moves",
    "wind showing in grass or washing",
    "the first lamps going on",
    "footprints leading out of the frame",
    "a gate or door left open",
    "mist rising",
    "someone waiting, turned away",
    "shadows reaching halfway across",
    "a dog looking the other way",
    "the first drops on dry ground",
)

_PEOPLE_MOMENTS = (
    "sleeves pushed up",
    "in the middle of a laugh, not posed",
    "busy, and not looking up",
    "looking back over a shoulder",
    "a coat moved by the wind",
    "in a pause between two tasks",
    "out of breath",
    "shoes off",
    "talking to someone outside the frame",
    "holding something close",
    "with wet hair",
    "about to turn away",
)

FRAMES = (
    Frame(
        "the subject low in the frame, empty space above it",
        "Leave the upper two thirds empty, so that a text fits there.",
        Distance.FAR,
    ),
    Frame("the subject at the left edge, facing in", "Put it at the left edge and let it face in."),
    Frame(
        "the subject on the right third, clean space beside it",
        "Keep the left half clean; it may carry a text.",
    ),
    Frame("centred and symmetrical", "Centre it, and make both halves match."),
    Frame("a diagonal from corner to corner", "Turn the subject until it runs corner to corner."),
    Frame(
        "a tight crop, cut at two sides",
        "Crop so tight that two sides are cut off.",
        Distance.NEAR,
    ),
    Frame("one subject on a large plain area", "Leave everything else plain.", Distance.FAR),
    Frame(
        "three planes, only the middle one sharp", "Build three planes and focus on the middle one."
    ),
    Frame("a frame within the frame", "Find an opening, and shoot through it.", Distance.FAR),
    Frame(
        "shapes that repeat, with one exception", "Look for a row of like shapes that one breaks."
    ),
    Frame("two colours and no more", "Clear away every third colour."),
    Frame("lines that lead to the subject", "Let edges on the floor or the wall point at it."),
    Frame(
        "a low horizon", "Tilt up until the horizon or table edge lies a fifth up.", Distance.FAR
    ),
    Frame(
        "shallow focus on the nearest edge",
        "Open the lens wide and focus on the nearest edge.",
        Distance.NEAR,
    ),
)

SCENERY = {
    Kind.ANY: Scenery(_ANY_LOOKS, _ANY_PLACES, _ANY_MOMENTS),
    Kind.FOOD: Scenery((*_ANY_LOOKS, *_TABLE_LOOKS), _FOOD_PLACES, _FOOD_MOMENTS),
    Kind.THING: Scenery((*_ANY_LOOKS, *_TABLE_LOOKS), _THING_PLACES, _THING_MOMENTS),
    Kind.PLACE: Scenery((*_ANY_LOOKS, *_PLACE_LOOKS), _PLACE_PLACES, _PLACE_MOMENTS),
    Kind.PEOPLE: Scenery((*_ANY_LOOKS, *_PEOPLE_LOOKS), _PEOPLE_PLACES, _PEOPLE_MOMENTS),
}

_WORDS = {
    Kind.PLACE: """alley architecture bay beach bridge building canal castle city coast countryside
        desert dune field forest garden harbour harbor hike hill house island lake landscape market
        meadow mountain neighbourhood ocean park path pier place port river road ruin sea shore sky
        snow street sunrise sunset town trail train tram travel trip valley village view vineyard
        walk waterfall wave wood""",
    Kind.FOOD: """baking bean bread breakfast brunch cake cheese chocolate cocktail coffee cook
        cooking croissant cup dessert dinner dish dough drink egg espresso fish food fruit herb
        honey ingredient juice kitchen latte lunch meal milk noodle pasta pastry pizza plate recipe
        rice salad sandwich smoothie snack soup spice supper sushi tea toast vegetable wine""",
    Kind.THING: """accessory bag basket book bottle bouquet box button camera candle ceramic
        chair cloth clothes clothing coat cup decor denim desk detail dress fabric fashion flower
        furniture garment guitar hat interior jacket jewellery jewelry knit knitwear lamp leaf
        leather light linen material mug notebook object outfit packaging painting pattern petal
        plant pot pottery product rose scarf shelf shirt shoe skincare textile texture tool toy vase
        vinyl watch wool""",
    Kind.PEOPLE: """artisan artist baby barista child client colleague community couple crowd
        customer dancer daughter face family farmer father friend girl guest kid man maker model
        mother musician parent people person portrait runner self selfie son staff student teacher
        team training volunteer woman workout worker workshop yoga""",
}
_KINDS = {stem(word): kind for kind, text in _WORDS.items() for word in text.split()}

# What is meant besides, when somebody wants none of a thing.
_ALSO = {
    "people": """person people someone somebody nobody anyone figure hand face eye shoulder shoe
        laugh reading talking portrait crowd group meet""",
    "animal": "bird dog cat horse",
    "alcohol": "wine beer cocktail",
    "night": "dark lamp lamplight sunset",
    "rain": "drop wet weather",
}
_ALSO |= dict.fromkeys(("person", "human", "face"), _ALSO["people"])


def kind_of(subject: str) -> Kind:
    """What sort of thing ``subject`` is, by its last word that is known."""
    return next((_KINDS[word] for word in reversed(stems(subject)) if word in _KINDS), Kind.ANY)


def meant_by(avoided: str) -> list[list[str]]:
    """The phrases, as stems, that may not appear where ``avoided`` is not wanted."""
    phrase = stems(avoided)
    also = [word for part in phrase for word in stems(_ALSO.get(part, ""))]
    return [phrase, *([word] for word in also)] if phrase else []
