"""Write a study's explorer: a page that holds its numbers and shows what one asks for."""

import html
from importlib.resources import files
from pathlib import Path

from dissect_iqa.explorer.contents import contents
from dissect_iqa.explorer.explored import Explored
from dissect_iqa.explorer.pack import Numbers
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.files.provenance import atomic_path, fingerprint

#: The page's own script, in the order in which its parts need each other.
SCRIPTS = ("data", "state", "filters", "charts", "table", "one", "main")


def write_explorer(
    shown: Explored,
    file: Path | str,
    settings: FigureSettings,
    most_thumbnails: int = 200,
    spec: str = "",
) -> None:
    """Write the page, whole or not at all; it needs nothing but a browser.

    Parameters
    ----------
    shown : Explored
        What it holds.
    file : path
        The page.
    settings : FigureSettings
        Statistic and distance that it opens with.
    most_thumbnails : int
        Of so many pairs of each data set it holds small pictures; 0: of none.
    spec : str
        Canonical JSON of what it was made from; its sha256 goes into the page.
    """
    import vl_convert

    numbers = Numbers()
    header = contents(shown, numbers, settings, most_thumbnails)
    own = files("dissect_iqa.explorer") / "page"
    library = vl_convert.javascript_bundle()  # type: ignore[call-arg]
    parts = {
        "TITLE": html.escape(f"Study {shown.study}: which deep features predict perceived quality"),
        "MARK": html.escape(f"study {shown.study}, fingerprint {fingerprint(spec)}"),
        "STYLE": own.joinpath("page.css").read_text("utf-8"),
        "SCRIPT": "".join(own.joinpath(f"{name}.js").read_text("utf-8") for name in SCRIPTS),
        # a string in the library must not end the page's script
        "LIBRARY": library.replace("</script", "<\\/script"),
        "DATA": numbers.packed(header),
    }
    page = own.joinpath("page.html").read_text("utf-8")
    for name, content in parts.items():
        page = page.replace(f"@@{name}@@", content)
    with atomic_path(file) as temporary:
        temporary.write_text(page, encoding="utf-8")
