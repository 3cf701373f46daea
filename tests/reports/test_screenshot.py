"""The page in a browser: nothing is wider than the window, and no picture is empty."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.stages import scorecard
from tests.helpers.competitions import ONE_MODEL, context, draw_discs

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PROBE = """<script>addEventListener("load", () => {
  const images = [...document.images].filter(each => !each.naturalWidth).length;
  document.title = `${document.documentElement.scrollWidth} ${innerWidth} ${images}`;
});</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("workspace")
    draw_discs(root, count=8)
    stage = context(root, workspace, **ONE_MODEL)
    scorecard.run(stage)
    return stage.workspace.report


@pytest.mark.slow
@pytest.mark.parametrize("width", [500, 1280])
def test_the_page_fits_its_window(width: int, page: Path, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    probed = tmp_path / "page.html"
    probed.write_text(page.read_text().replace("</head>", f"{PROBE}</head>"))
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--window-size={width},4000",
    ]
    command.append(f"--user-data-dir={tmp_path / 'profile'}")
    shown = subprocess.run(
        [*command, "--dump-dom", probed.as_uri()], capture_output=True, text=True, timeout=120
    ).stdout
    title = shown.partition("<title>")[2].partition("</title>")[0]
    needed, there, broken = map(int, title.split())
    assert needed <= there and broken == 0
    picture = tmp_path / "page.png"
    subprocess.run(
        [*command, f"--screenshot={picture}", page.as_uri()], capture_output=True, timeout=120
    )
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    assert pixels.shape[1] == width and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000
