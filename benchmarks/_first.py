"""Questions whose samples are each the first call of a new process.

All backends of a pipeline are called side by side, as :mod:`persistbench.measure.look` does it. The
first process of asv in a round makes the look for all cells. The others read in the folder of the
run what it has seen.
"""

import json
from dataclasses import asdict
from pathlib import Path

from benchmarks._elsewhere import Elsewhere
from benchmarks._grid import once_in_a_run
from persistbench import backends, units
from persistbench.backends import REFERENCE
from persistbench.cases import catalogue
from persistbench.cells import cell as cells
from persistbench.cells.cell import Cell
from persistbench.errors import UnsupportedError
from persistbench.measure import actions, calls, first_call, look
from persistbench.measure.first_call import FailedError
from persistbench.outcomes import Verdict
from persistbench.records import looks, pairs, run


class FirstCall(Elsewhere):
    """Base of such questions."""

    version = "6"
    rounds = looks.ROUNDS
    dumps = False
    uses = False  # whether the held-out rows are predicted after the load
    beside_own_load = False  # whether it is paired with the ordinary load of the same backend

    def examine(self, pipeline, backend):
        """Sit out if the budget is spent."""
        own = run.current()
        if own and own.over and own.round > 1:
            raise NotImplementedError("it keeps the figure that it has")
        super().examine(pipeline, backend)

    def stored(self, own):
        """Return what is stored of first calls by this version."""
        known, _ = pairs.read(own.pairs)
        return {key: one for key, one in known.items() if one.version == self.version}

    def verdict(self, error):
        """Return what a failure is called: the process of the call has said it."""
        return error.verdict if isinstance(error, FailedError) else super().verdict(error)

    def prepare(self, cell):
        """Look at all cells that are as far as this one."""
        if self.uses:
            actions.require_use(cell)
        own = run.current()
        stored = self.stored(own) if own else {}
        key = (self.question, cell.pipeline.name, cell.backend.id)
        count = looks.processes(stored.get(key))
        if self.waits(cell):
            own.wait(key)
            taken = units.human(cell.dump_seconds, "seconds")
            raise UnsupportedError(f"not measured yet: a dump takes about {taken}")
        name = f"{self.question} {own.round if own else 0} {count}"
        seen = once_in_a_run(name, lambda: self.look(self.alike(stored, count), count))
        if str(key) not in seen:
            name = f"{name} {cell.pipeline.key} {cell.backend.id}"
            seen = once_in_a_run(name, lambda: self.look([[cell]], count))
        rows, failure = seen[str(key)]
        if failure:
            raise FailedError(Verdict.from_dict(failure))
        if not rows:
            raise NotImplementedError("the budget was spent before it")
        self.samples = [sample[0] for sample, _, _ in rows]
        self.repeat = len(rows)
        if own:
            pairs.leave(own.folder, self.pairs(cell, rows))

    def alike(self, stored, count):
        """Return, a list for each pipeline, the right cells that asv asks and that are as far."""
        own = run.current()
        asked = {}
        for name, backend in own.asked(self.question) if own else ():
            known = stored.get((self.question, name, backend))
            if looks.processes(known) == count:
                cell = Cell(catalogue.get(name), backends.get(backend), mapped=self.mapped)
                asked.setdefault(name, []).append(cell)
        return [right for several in asked.values() if (right := self.right(several))]

    def right(self, several):
        """Return the right ones of several cells that can answer this question."""
        verdicts = cells.examine(several)
        return [
            cell
            for cell, verdict in zip(several, verdicts, strict=True)
            if verdict.same and self.asks(cell.backend) and not self.waits(cell)
        ]

    def waits(self, cell):
        """Return whether a slow dump waits for the second round: the first page comes early."""
        own = run.current()
        slow = self.dumps and cell.dump_seconds > looks.SLOW_SECONDS
        return bool(own and own.page and own.round == 1 and slow)

    def asks(self, backend):
        """Return whether a backend can answer this question."""
        return not (self.uses and backend.claims.returns == "bytes")

    def look(self, groups, count):
        """Return by key the rows of its processes, and the failure that has ended them."""
        own = run.current()
        made = [group for several in groups for group in self.groups(several)]
        for group in made:
            group.before = count
        modules = Path(own.folder if own else ".", "modules.json")
        known = json.loads(modules.read_text()) if modules.is_file() else first_call.FIRST
        over = (lambda: own.over and own.round > 1) if own else (lambda: False)
        say = own.tell if own else (lambda _: None)
        spent = look.measure(
            made,
            max(1, looks.following(count) - count),
            known,
            over,
            lambda what: say(f"{self.question}: {what}"),
        )
        modules.write_text(json.dumps(spent.modules))
        if own:
            own.spend(spent.timed, spent.processes)
        result = {}
        for group in made:
            for name, rows in group.rows.items():
                failure = group.failures.get(name)
                key = (self.question, group.name, name)
                result[str(key)] = [rows, failure and asdict(failure.verdict)]
        return result

    def groups(self, several):
        """Return what is compared with each other of a pipeline."""
        if self.beside_own_load:
            return calls.beside_own_load(several, self.uses)
        return [calls.beside_reference(several, self.dumps, self.uses)]

    def pairs(self, cell, rows):
        """Return the record of what a look has seen of a cell."""
        key = (self.question, cell.pipeline.name, cell.backend.id)
        ratios = [[sample[0] / reference] for sample, reference, _ in rows if reference]
        name = "load" if self.beside_own_load else REFERENCE
        return pairs.Pairs(
            key,
            self.version,
            {name: ratios} if ratios else {},
            [[sample[1]] for sample, _, _ in rows],
            [mother for _, _, mother in rows],
            cell.artifact.stat().st_size,
        )
