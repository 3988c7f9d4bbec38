"""The templates of pillars that come with the catalog."""

from services.catalog.domain.pillar import Guidelines
from services.catalog.domain.pillar_template import PillarTemplate, Theme

_COFFEE_SHOP = PillarTemplate(
    "coffee-shop",
    "Coffee shop",
    "For a café or bakery that wants regulars, and strangers who look for a table nearby.",
    (
        Theme(
            "In the cup",
            30,
            "Drinks close up: what is on the menu, how it looks, what makes it good.",
            Guidelines(
                tone="warm, sensory, never technical for its own sake",
                topics=("espresso drinks", "latte art", "seasonal drinks", "cups and glasses"),
                avoid_topics=("other brands", "disposable cups"),
                style_notes="Close-ups at table height, window light. One hero, clean background.",
            ),
            importance=5,
        ),
        Theme(
            "From the oven",
            20,
            "Pastry, bread and plates, whole and cut open.",
            Guidelines(
                tone="hungry, simple",
                topics=("croissants", "cakes", "breakfast plates", "bread"),
                avoid_topics=("empty plates", "plastic packaging"),
                style_notes="Texture first: crumbs, glaze, steam. Side light, shallow focus.",
            ),
        ),
        Theme(
            "A seat by the window",
            20,
            "The room and how it feels to sit in it at different hours.",
            Guidelines(
                tone="calm, inviting",
                topics=("interior", "corners to sit in", "morning light", "rainy days"),
                avoid_topics=("crowds", "queues"),
                style_notes="Wide and quiet, verticals straight. People from behind or far away.",
            ),
        ),
        Theme(
            "Behind the bar",
            20,
            "The people and the craft: hands, machines, preparation before opening.",
            Guidelines(
                tone="proud, friendly",
                topics=("baristas at work", "roasting", "preparation", "tools"),
                avoid_topics=("staff who have not agreed to be shown",),
                style_notes="Hands and motion. Available light, a little grain is welcome.",
            ),
        ),
        Theme(
            "Around the corner",
            10,
            "The street, the neighbours and the small events that make the place local.",
            Guidelines(
                tone="neighbourly",
                topics=("street scenes", "markets", "local events", "neighbouring shops"),
                avoid_topics=("politics", "number plates"),
                style_notes="Street level, on foot, natural colours.",
            ),
            importance=2,
        ),
    ),
)

_TRAVEL = PillarTemplate(
    "travel-creator",
    "Travel creator",
    "For somebody who travels and takes others along, with places, people and practical help.",
    (
        Theme(
            "Big views",
            30,
            "Landscapes and skylines that make people stop.",
            Guidelines(
                tone="awed, brief",
                topics=("mountains", "coasts", "skylines", "viewpoints", "sunrise and sunset"),
                avoid_topics=("places closed to the public", "wildlife disturbed for a picture"),
                style_notes="Wide, one clear subject, horizon level. A small figure gives scale.",
            ),
            importance=5,
        ),
        Theme(
            "City walks",
            25,
            "Streets, corners and architecture found on foot.",
            Guidelines(
                tone="curious, observant",
                topics=("old towns", "architecture", "street corners", "stairs and alleys"),
                avoid_topics=("faces of strangers in close-up",),
                style_notes="Eye level, leading lines, early or late light.",
            ),
        ),
        Theme(
            "On the plate",
            15,
            "Local food and the places that serve it.",
            Guidelines(
                tone="appetising, honest about prices",
                topics=("street food", "markets", "local dishes", "cafés"),
                avoid_topics=("international chains",),
                style_notes="From above or at 45 degrees, with a hint of the surroundings.",
            ),
        ),
        Theme(
            "Getting there",
            15,
            "Trains, roads, packing: what the way is like and what helps.",
            Guidelines(
                tone="practical, light",
                topics=("trains", "road trips", "packing", "where to stay"),
                avoid_topics=("tickets and passports with readable data",),
                style_notes="Details and windows. Show the thing that the tip is about.",
            ),
        ),
        Theme(
            "People met on the way",
            15,
            "Portraits and moments with those who live there, with their consent.",
            Guidelines(
                tone="respectful, personal",
                topics=("craftspeople", "hosts", "guides", "festivals"),
                avoid_topics=("children", "poverty as scenery"),
                style_notes="Environmental portraits. Ask first, show their place and their work.",
            ),
        ),
    ),
)

_FITNESS = PillarTemplate(
    "fitness-coach",
    "Fitness coach",
    "For a coach or studio that teaches, motivates without shaming, and wants enquiries.",
    (
        Theme(
            "How to move",
            30,
            "One exercise a post: start, end, the mistake that most people make.",
            Guidelines(
                tone="clear, encouraging",
                topics=("technique", "warm-up", "mobility", "strength basics"),
                avoid_topics=("pain as a goal", "dangerous lifts without a spotter"),
                style_notes="Full body in frame, plain background, from the side.",
            ),
            importance=5,
        ),
        Theme(
            "Training days",
            25,
            "Sessions as they are: effort, breaks, weather, company.",
            Guidelines(
                tone="energetic, down to earth",
                topics=("gym sessions", "outdoor training", "running", "group classes"),
                avoid_topics=("mirror selfies", "other people without their consent"),
                style_notes="Motion and sweat, low angles, high contrast.",
            ),
        ),
        Theme(
            "Fuel",
            20,
            "Food that goes with training, easy to copy.",
            Guidelines(
                tone="simple, undogmatic",
                topics=("meals", "snacks", "shopping", "drinks"),
                avoid_topics=("weight-loss promises", "calorie shaming", "supplements as a cure"),
                style_notes="Bright, from above, ingredients recognisable.",
            ),
        ),
        Theme(
            "Rest and recovery",
            10,
            "Sleep, stretching and days off as part of the plan.",
            Guidelines(
                tone="calm",
                topics=("stretching", "sleep", "walks", "sauna"),
                avoid_topics=("medical advice",),
                style_notes="Soft light, slow scenes, cooler colours.",
            ),
            importance=2,
        ),
        Theme(
            "Members' stories",
            15,
            "What people who train here have reached, told by them.",
            Guidelines(
                tone="warm, factual",
                topics=("milestones", "first times", "comebacks"),
                avoid_topics=("before-and-after bodies", "names without consent"),
                style_notes="Portraits where they train, looking at the camera.",
            ),
        ),
    ),
)

_MAKER = PillarTemplate(
    "artist-maker",
    "Artist and maker",
    "For somebody who makes things by hand and sells some of them.",
    (
        Theme(
            "Finished work",
            30,
            "One piece at a time, shown as it would be bought.",
            Guidelines(
                tone="confident, few words",
                topics=("new pieces", "series", "details", "scale in a room"),
                avoid_topics=("discount slogans",),
                style_notes="Neutral background, true colours, one detail shot for each piece.",
            ),
            importance=5,
        ),
        Theme(
            "On the bench",
            25,
            "Work in progress: steps, samples, decisions.",
            Guidelines(
                tone="open, thinking aloud",
                topics=("sketches", "works in progress", "experiments", "mistakes"),
                avoid_topics=("work for clients that is not announced",),
                style_notes="From above the bench, hands in frame, same angle each time.",
            ),
        ),
        Theme(
            "Materials and tools",
            15,
            "What it is made of and made with, and why that matters.",
            Guidelines(
                tone="knowledgeable, tactile",
                topics=("clay, wood, paper, yarn", "pigments", "brushes and tools", "suppliers"),
                avoid_topics=("paid placements that are not marked",),
                style_notes="Macro, raking light that shows texture.",
            ),
        ),
        Theme(
            "The studio",
            15,
            "The place and its days.",
            Guidelines(
                tone="personal, unpolished",
                topics=("studio corners", "shelves", "light through the day", "visitors"),
                avoid_topics=("addresses and door signs",),
                style_notes="Wide, natural light, leave the mess in.",
            ),
        ),
        Theme(
            "Seen and loved",
            15,
            "Where ideas come from: nature, museums, other people's work with credit.",
            Guidelines(
                tone="generous",
                topics=("nature studies", "colours found outside", "exhibitions", "books"),
                avoid_topics=("other people's work without credit",),
                style_notes="Colour and shape first, as if collected.",
            ),
            importance=2,
        ),
    ),
)

_LOCAL_SHOP = PillarTemplate(
    "local-shop",
    "Local shop",
    "For a shop with a door to the street: books, flowers, clothes, bicycles, groceries.",
    (
        Theme(
            "New on the shelf",
            30,
            "What has just come in, one product or one small group at a time.",
            Guidelines(
                tone="helpful, specific",
                topics=("arrivals", "favourites", "gifts", "seasonal goods"),
                avoid_topics=("prices that may change", "stock photos"),
                style_notes="Product on the shop's own wood or counter, daylight, no clutter.",
            ),
            importance=5,
        ),
        Theme(
            "How to use it",
            20,
            "Care, pairing and repair: advice one would get at the counter.",
            Guidelines(
                tone="knowing, patient",
                topics=("care tips", "pairings", "repairs", "before buying"),
                avoid_topics=("claims that cannot be shown",),
                style_notes="Steps in order, hands in frame, same background.",
            ),
        ),
        Theme(
            "The people here",
            20,
            "Owners, staff and makers who supply the shop.",
            Guidelines(
                tone="friendly, first names",
                topics=("staff picks", "makers", "a day in the shop"),
                avoid_topics=("customers without consent",),
                style_notes="Portraits among the goods, natural light.",
            ),
        ),
        Theme(
            "The window",
            15,
            "The shop from outside, its displays and its seasons.",
            Guidelines(
                tone="inviting",
                topics=("window displays", "facade", "evening light", "decorations"),
                avoid_topics=("number plates", "passers-by in close-up"),
                style_notes="Straight on, at dusk or in soft light, no reflections.",
            ),
        ),
        Theme(
            "Our street",
            15,
            "Neighbours, markets and events that give a reason to come by.",
            Guidelines(
                tone="neighbourly",
                topics=("local events", "markets", "neighbouring shops", "opening times"),
                avoid_topics=("politics",),
                style_notes="Street level, people small in the frame.",
            ),
            importance=2,
        ),
    ),
)

_SOFTWARE_TEAM = PillarTemplate(
    "software-team",
    "Software team",
    "For a team that builds software and wants users, contributors or colleagues.",
    (
        Theme(
            "What is new",
            25,
            "Releases and features, one a post, shown in use.",
            Guidelines(
                tone="plain, concrete",
                topics=("releases", "features", "screens in use", "before and after"),
                avoid_topics=("dates that are not agreed", "comparisons with competitors"),
                style_notes="Real screens with invented data, large type, one idea.",
            ),
            importance=5,
        ),
        Theme(
            "How it works",
            25,
            "Explanations of decisions, diagrams and numbers with their method.",
            Guidelines(
                tone="precise, curious",
                topics=("architecture", "diagrams", "measurements", "lessons from incidents"),
                avoid_topics=("customer data", "unfixed vulnerabilities"),
                style_notes="Whiteboards and simple diagrams, few colours.",
            ),
        ),
        Theme(
            "The team at work",
            20,
            "Who does this and what their days look like.",
            Guidelines(
                tone="human, modest",
                topics=("desks", "meetings on site", "pairing", "remote places"),
                avoid_topics=("screens with secrets", "badges"),
                style_notes="Candid, available light, faces only with consent.",
            ),
        ),
        Theme(
            "In the wild",
            20,
            "What people do with it: users, talks, contributions.",
            Guidelines(
                tone="grateful, specific",
                topics=("users' projects", "talks", "contributions", "meetups"),
                avoid_topics=("logos without permission",),
                style_notes="Stages, stickers, users' own pictures with credit.",
            ),
        ),
        Theme(
            "Small joys",
            10,
            "Keyboards, plants, coffee, the bug of the week.",
            Guidelines(
                tone="dry humour",
                topics=("desk details", "pets", "odd bugs", "rituals"),
                avoid_topics=("jokes at somebody's expense",),
                style_notes="Close-ups, warm colours.",
            ),
            importance=1,
        ),
    ),
)

TEMPLATES = {
    template.id: template
    for template in sorted(
        (_COFFEE_SHOP, _TRAVEL, _FITNESS, _MAKER, _LOCAL_SHOP, _SOFTWARE_TEAM),
        key=lambda template: template.id,
    )
}
