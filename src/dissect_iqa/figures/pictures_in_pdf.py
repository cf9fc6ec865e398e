"""Figures with many pictures as a PDF of many pages: text as vectors, each picture once, as JPEG.

Text can be searched, and a picture is put in once however many pages show it: 60 contact sheets
with 20 pairs each, no picture twice, take 14 MB and 0.6 s a page. matplotlib itself stores pictures
without loss (73 MB at 200 dots an inch, twice the time), and pages that are JPEG as a whole (35 MB,
the same time) have blurred text that can't be searched.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from PIL import Image
from PIL.PdfParser import PdfName, PdfParser

#: Of JPEG pictures.
_QUALITY = 85


def decoded(webp: bytes) -> Image.Image:
    """Return a small picture, in RGB."""
    return Image.open(BytesIO(webp)).convert("RGB")


@dataclass(frozen=True)
class Placed:
    """Where on a page a picture stands, in points from the lower left corner."""

    file: str
    x: float
    y: float
    width: float
    height: float


def add_page(pdf: PdfPages, figure: Figure) -> list[Placed]:
    """Add a figure without its pictures to a PDF, and return where these belong."""
    images = [image for axes in figure.axes for image in axes.images]
    for image in images:
        image.remove()
    pdf.savefig(figure)
    points = 72 / figure.dpi
    return [
        Placed(
            str(image.get_label()), *(side * points for side in image.get_window_extent().bounds)
        )
        for image in images
    ]


def add_pictures(document: BytesIO, pages: list[list[Placed]], webp: Mapping[str, bytes]) -> None:
    """Add pictures to the pages of a PDF, as JPEG, each once however many pages show it."""
    with PdfParser(f=document) as pdf:
        sheets = [pdf.read_indirect(page) for page in pdf.pages]
        # all pages of matplotlib share their resources
        resources = pdf.read_indirect(sheets[0][b"Resources"])
        pictures = pdf.read_indirect(resources[b"XObject"])
        pdf.start_writing()
        names: dict[str, str] = {}
        for placed in itertools.chain(*pages):
            if placed.file not in names:
                names[placed.file] = f"Picture{len(names)}"
                pictures[names[placed.file].encode()] = _add_jpeg(pdf, webp[placed.file])
        pdf.write_obj(resources[b"XObject"], pictures)
        for reference, sheet, shown in zip(pdf.pages, sheets, pages, strict=True):
            drawn = "".join(
                f"q {one.width:.3f} 0 0 {one.height:.3f} {one.x:.3f} {one.y:.3f} cm "
                f"/{names[one.file]} Do Q\n"
                for one in shown
            )
            sheet[b"Contents"] = [sheet[b"Contents"], pdf.write_obj(None, stream=drawn.encode())]
            pdf.write_obj(reference, sheet)
        pdf.write_xref_and_trailer()


def _add_jpeg(pdf: PdfParser, webp: bytes) -> Any:
    """Add a picture to a PDF, and return its reference there."""
    picture, jpeg = decoded(webp), BytesIO()
    # colour as fine as brightness: distortions of colour are what some pairs are about
    picture.save(jpeg, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return pdf.write_obj(
        None,
        Type=PdfName("XObject"),
        Subtype=PdfName("Image"),
        Width=picture.width,
        Height=picture.height,
        ColorSpace=PdfName("DeviceRGB"),
        BitsPerComponent=8,
        Filter=PdfName("DCTDecode"),
        stream=jpeg.getvalue(),
    )
