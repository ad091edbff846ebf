"""A notebook open in JupyterLab or Notebook 7, driven as a person and as its kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nbformat
from playwright.sync_api import Locator, Page, expect

from hosts.servers import Server

PATIENCE_MS = 60_000

IS_READY = """() => {
  const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
  const kernel = context?.session?.kernel;
  return context?.isReady && kernel?.connectionStatus === "connected" && kernel.status === "idle";
}"""

# A script may wait for a promise for ever, which would be a test that never ends.
WITHIN = """async ([limit, script, ...values]) => {
  const late = new Promise((_, reject) =>
    setTimeout(() => reject(new Error(`expected an answer in time to ${script}`)), limit));
  return Promise.race([(0, eval)(script)(...values), late]);
}"""

COMMAND = """async (id, options) => {
  await window.jupyterapp.commands.execute(id, options);
}"""

RUN_CELL = """async (index) => {
  window.jupyterapp.shell.currentWidget.content.activeCellIndex = index;
  await window.jupyterapp.commands.execute("notebook:run-cell");
}"""

CELL_ERRORS = """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells
  .flatMap((cell) => cell.toJSON().outputs ?? [])
  .filter((output) => output.output_type === "error")
  .map((output) => output.traceback.join("\\n"))"""

EXECUTE = """async (code) => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const future = kernel.requestExecute({ code, store_history: false });
  let text = "";
  let failure = null;
  future.onIOPub = ({ header, content }) => {
    if (header.msg_type === "stream") text += content.text;
    if (header.msg_type === "error") failure = content.traceback.join("\\n");
  };
  await future.done;
  if (failure !== null) throw new Error(failure);
  return text;
}"""

SHUT_DOWN = """async () => {
  await window.jupyterapp.serviceManager.sessions.shutdownAll();
}"""


@dataclass(frozen=True)
class Notebook:
    """One notebook on a page, with the kernel that the page is connected to."""

    page: Page
    server: Server
    path: str

    @property
    def address(self) -> str:
        return f"{self.server.url}/{self.path}"

    def open(self) -> None:
        """Loads the page and waits for the notebook's kernel."""
        self.page.goto(self.address)
        self.page.wait_for_function(IS_READY, timeout=PATIENCE_MS)

    def command(self, identifier: str, **options: object) -> None:
        """Does what a menu entry does."""
        self._evaluate(COMMAND, identifier, options)

    def run_all(self) -> None:
        """Runs every cell; raises with the traceback of the first that fails."""
        self.command("notebook:run-all-cells")
        self._raise_on_error()

    def run_cell(self, index: int) -> None:
        """Runs one cell again."""
        self._evaluate(RUN_CELL, index)
        self._raise_on_error()

    def python(self, code: str) -> str:
        """What `code` prints in the kernel, without a cell of its own."""
        return str(self._evaluate(EXECUTE, code)).strip()

    def reload(self) -> None:
        """Saves, then loads the page again; the kernel goes on."""
        self.command("docmanager:save")
        self.open()

    def widget(self, index: int = 0) -> Locator:
        """The widget, once its first picture is complete."""
        found = self.page.locator(".attn-widget").nth(index)
        expect(found).to_have_attribute("data-status", "ready", timeout=PATIENCE_MS)
        return found

    def close(self) -> None:
        """Ends the kernels that the page's server runs."""
        self._evaluate(SHUT_DOWN)

    def _evaluate(self, script: str, *values: object) -> Any:
        return self.page.evaluate(WITHIN, [PATIENCE_MS, script, *values])

    def _raise_on_error(self) -> None:
        errors: list[str] = self._evaluate(CELL_ERRORS)
        if errors:
            raise AssertionError(f"expected every cell to run; got:\n{errors[0]}")


def write(server: Server, name: str, cells: list[str]) -> None:
    """Puts a notebook of code cells where the server keeps its notebooks."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, server.folder / name)
