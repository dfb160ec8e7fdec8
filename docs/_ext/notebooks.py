"""Show notebooks as pages."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "notebooks"


def notebook(name: str) -> str:
    """Return the cells of a notebook in Markdown, and a link to the file."""
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    parts = [_cell(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    parts.insert(
        1, f"Download {{download}}`the notebook <{name}.ipynb>` to run it. Its outputs are not shown here."
    )
    return "\n\n".join(parts) + "\n"


def _cell(kind: str, source: str) -> str:
    if kind == "markdown":
        return source
    language = "bash" if source.startswith("%%bash") else "python"
    return f"```{language}\n{source}\n```"
