"""A contract for import-linter: which rooms may import a library. Everybody else may not."""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class LibraryContract(Contract):
    """`rooms` has a line for each group of libraries: `flask flask_cors: factory web`."""

    rooms = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Whether each of the libraries is imported in its rooms alone."""
        (root,) = self.session_options["root_packages"]
        found = [
            (importer, library)
            for libraries, rooms in (line.split(":") for line in self.rooms)  # type: ignore[attr-defined]
            for library in libraries.split()
            if library in graph.modules
            for importer in sorted(graph.find_modules_that_directly_import(library))
            if not any(f"{importer}.".startswith(f"{root}.{room}.") for room in rooms.split())
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Each import that does not belong where it is."""
        for importer, library in check.metadata["found"]:
            output.print_error(f"{importer} may not import {library}")
