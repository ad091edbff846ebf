"""Executes notebooks and writes each as a page that needs no kernel and no network."""

from __future__ import annotations

import argparse
import base64
from pathlib import Path

import nbclient
import nbformat
from nbconvert.exporters.html import HTMLExporter

ROOT = Path(__file__).parents[1]


def execute(notebook: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of a run from top to bottom, in a kernel of this Python."""
    node: nbformat.NotebookNode = nbformat.read(notebook, as_version=4)
    # Widget state would make the page fetch its scripts from a network; the pictures need none.
    client = nbclient.NotebookClient(
        node,
        timeout=300,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    client.execute()
    return node


def page(node: nbformat.NotebookNode) -> str:
    """HTML with the pictures inside and no address of a script."""
    exporter = HTMLExporter(
        embed_images=True,
        require_js_url="",
        jquery_url="",
        mathjax_url="",
        mermaid_js_url="",
    )
    html, _ = exporter.from_notebook_node(node)
    return str(html)


def pictures(node: nbformat.NotebookNode) -> list[bytes]:
    """The PNG pictures among the outputs, in order."""
    outputs = [output for cell in node.cells for output in cell.get("outputs", [])]
    encoded = [
        output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})
    ]
    return [base64.b64decode(text) for text in encoded]


def main() -> None:
    """Writes `NAME.html` and, where there is a picture, `NAME.png` for every notebook."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=ROOT / "artifacts")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for notebook in options.notebooks:
        node = execute(notebook)
        target = options.output / notebook.with_suffix(".html").name
        target.write_text(page(node), encoding="utf-8")
        print(f"{notebook}: page {target.resolve()}")
        for picture in pictures(node)[:1]:
            target.with_suffix(".png").write_bytes(picture)
            print(f"{notebook}: picture {target.with_suffix('.png').resolve()}")


if __name__ == "__main__":
    main()
