"""skops: a zip of a JSON schema and arrays; the load admits only a list of trusted names."""

import contextlib
import io
import zipfile
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal, Self

from persistbench.backends import Backend, Claims, Inspect, checked
from persistbench.errors import UnsupportedError


@dataclass(frozen=True)
class Skops(Backend):
    """``skops.io.dump``, and ``skops.io.load`` with a reviewed list of trusted names.

    The list holds the names in the pipeline's file, and never the names in the artifact. skops
    itself trusts further names.

    Attributes:
        compression: of the zip.
        trusted: the list.
    """

    compression: Literal["stored", "deflate"]
    trusted: tuple[str, ...] = ()

    requires = ("skops",)
    extension = ".skops"
    # Before 0.11 skops could check one name and load another (CVE-2024-37065), and
    # `trusted=True` existed.
    oldest = {"skops": "0.11"}

    @property
    def id(self) -> str:
        return "skops" if self.compression == "stored" else "skops-deflate"

    @property
    def variant(self) -> bool:
        return self.compression != "stored"

    @property
    def modules(self) -> tuple[str, ...]:
        return ("skops.io",)

    @property
    def claims(self) -> Claims:
        # The zip holds the time.
        return Claims(executes_code=False, audits=True, deterministic=False)

    def trusting(self, names: tuple[str, ...]) -> Self:
        return replace(self, trusted=(*self.trusted, *checked(names)))

    def dump(self, payload: Any, path: str) -> None:
        import skops.io

        how = zipfile.ZIP_STORED if self.compression == "stored" else zipfile.ZIP_DEFLATED
        skops.io.dump(payload, path, compression=how)

    def audit(self, path: str) -> list[str]:
        import skops.io

        asked = skops.io.get_untrusted_types(file=path)
        return [name for name in asked if name not in self.trusted]

    def inspections(self) -> dict[str, Inspect]:
        return {"skops.io.get_untrusted_types": _list, "skops.io.visualize": _show}

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode is not None:
            raise UnsupportedError(self.why_not_mapped)
        import skops.io
        from skops.io.exceptions import UntrustedTypesFoundException

        try:
            return skops.io.load(path, trusted=list(self.trusted))
        except UntrustedTypesFoundException as error:
            # Names that only look as if they could be admitted.
            if reasons := " ".join(filter(None, map(self._in_vain, self.audit(path)))):
                error.args = (f"{reasons} {error}",)  # reasons of cells are cut
            raise
        except AttributeError as error:
            asked = f"{getattr(error.obj, '__name__', '')}.{error.name}"
            if isinstance(error.obj, ModuleType) and asked in self.trusted:
                raise AttributeError(
                    f"the file asks for {asked}, and the module has nothing of this name. {_LAST}"
                ) from error
            raise

    def _in_vain(self, asked: str) -> str:
        """Return why a name that a file asks for can never be admitted; empty if it can be."""
        module, _, last = asked.rpartition(".")
        if last == "<lambda>":
            return f"skops can never find {asked} again. {_LAST}"
        for name in self.trusted:  # the name of a nested class, as Python and pickle write it
            if name.startswith(f"{module}.") and name.endswith(f".{last}"):
                return f"If {asked} is {name}, skops can never find {name} again. {_LAST}"
        return ""

    def refuses(self, error: Exception) -> bool:
        from skops.io.exceptions import UntrustedTypesFoundException

        return isinstance(error, UntrustedTypesFoundException)

    def read(self, path: str) -> int:
        with zipfile.ZipFile(path) as archive:
            return sum(len(archive.read(name)) for name in archive.namelist())


_LAST = (
    "skops saves the last part of a name only: define the class or function at the top of the "
    "module, by a name of its own, and save again."
)


@dataclass(frozen=True)
class BlindSkops(Skops):
    """Trusts every name that the file lists: nobody should do this.

    The list then comes from the maker of the file. Many examples do this, so trials show its
    consequence; nothing else uses this backend.
    """

    only_for_trials = True

    @property
    def id(self) -> str:
        return "skops-blind"

    @property
    def claims(self) -> Claims:
        return replace(super().claims, executes_code=True)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode is not None:
            raise UnsupportedError(self.why_not_mapped)
        import skops.io

        return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))


def _list(path: str) -> list[str]:
    """Return the names that skops does not trust by itself."""
    import skops.io

    return list(skops.io.get_untrusted_types(file=path))


def _show(path: str) -> str:
    """Return the tree of the objects in the file; skops prints it."""
    import skops.io

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        skops.io.visualize(path)
    return printed.getvalue()


BACKENDS = (Skops("stored"), Skops("deflate"), BlindSkops("stored"))
