"""Builds longlink: compiled where there is a C compiler, plain Python everywhere else.

Every `.py` with a `.pxd` beside it becomes an extension, and so does every `.pyx`; the list is
found, not written. Compiled modules are built for wheels only. Next to a `.py` that somebody edits,
a compiled module would silently win over it, so nothing is ever compiled into src/, and editable
installs are plain Python.

    LONGLINK_PURE=1               do not compile
    LONGLINK_COMPILE=all|leaf     compile everything, or only native/kernel
    LONGLINK_SANITIZE=address     with the address sanitizer
    LONGLINK_WERROR=1             C warnings are errors

Who asks for one of the last three gets it or an error, never plain Python instead.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext as setuptools_build_ext
from setuptools.command.build_py import build_py as setuptools_build_py

ROOT = Path(__file__).resolve().parent
SOURCE = Path("src/longlink")
LEAF = "longlink.native.kernel"

PURE = os.environ.get("LONGLINK_PURE", "") not in ("", "0")
WANTED = os.environ.get("LONGLINK_COMPILE", "")
SANITIZE = os.environ.get("LONGLINK_SANITIZE", "")
WERROR = os.environ.get("LONGLINK_WERROR", "") not in ("", "0")
MUST_COMPILE = bool(WANTED or SANITIZE or WERROR)

# A module's text means the same compiled and not: types come from the .pxd, never from annotations.
DIRECTIVES = {
    "language_level": "3",
    "annotation_typing": False,
    "boundscheck": False,
    "wraparound": False,
}


class CannotCompile(Exception):
    """Why there will be no extensions."""


def flavour() -> str:
    """Name of this build's own folder: objects made with other flags are never reused."""
    if PURE:
        return "pure"
    parts = [WANTED or "all", SANITIZE, "werror" if WERROR else ""]
    return "-".join(part for part in parts if part)


BUILD = Path("build") / flavour()


def flags(name: str) -> tuple[list[str], list[str]]:
    """Arguments for the compiler and for the linker."""
    if os.name == "nt":
        return [], []
    warnings = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"] if WERROR else []
    if SANITIZE:
        sanitizer = f"-fsanitize={SANITIZE}"
        return [*warnings, sanitizer, "-fno-omit-frame-pointer", "-g", "-O1"], [sanitizer]
    # The byte loops of the leaf are the only place where vectorising pays for compiling longer.
    return [*warnings, "-g0", "-O3" if name == LEAF else "-O2"], []


def extension(source: Path) -> Extension:
    name = ".".join(source.relative_to("src").with_suffix("").parts)
    compile_args, link_args = flags(name)
    return Extension(
        name,
        [source.as_posix()],
        include_dirs=[(SOURCE / "native").as_posix()],
        depends=sorted(path.as_posix() for path in SOURCE.rglob("*.h")),
        extra_compile_args=compile_args,
        extra_link_args=link_args,
    )


def extensions() -> list[Extension]:
    """One for each module to compile, in the order of their names."""
    if WANTED not in ("", "all", "leaf"):
        raise SystemExit(f"LONGLINK_COMPILE is {WANTED!r}, must be 'all' or 'leaf'")
    if PURE or sys.implementation.name != "cpython":
        return []
    # Where a .pyx and a .py share a name, the .pyx is compiled and the .py is its portable twin.
    leaves = set(SOURCE.rglob("*.pyx"))
    pairs = {path.with_suffix(".py") for path in SOURCE.rglob("*.pxd")}
    pairs = {path for path in pairs if path.exists() and path.with_suffix(".pyx") not in leaves}
    found = [extension(path) for path in sorted(leaves | pairs)]
    return [each for each in found if WANTED != "leaf" or each.name == LEAF]


def digest(*parts: str | bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(part.encode() if isinstance(part, str) else part)
        total.update(b"\0")
    return total.hexdigest()


def recipe() -> str:
    """Everything but the sources that compiled modules depend on."""
    cython = importlib.metadata.version("Cython")
    settings = [os.environ.get(name, "") for name in ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS")]
    return digest(sys.version, cython, Path(__file__).read_bytes(), *settings)


def key(each: Extension, how: str) -> str:
    """Same key, same extension. By content: after a checkout or a copy, times say little."""
    shared = sorted(path for suffix in ("pxd", "h") for path in SOURCE.rglob(f"*.{suffix}"))
    texts = [path.read_bytes() for path in shared]
    return digest(how, *map(str, shared), *texts, Path(each.sources[0]).read_bytes())


def translate(found: list[Extension], jobs: int) -> dict[str, list[str]]:
    """The C sources of each extension, made below build/ and never in src/."""
    from Cython.Build import cythonize
    from Cython.Compiler.Errors import CompileError

    try:
        made = cythonize(
            [extension(Path(each.sources[0])) for each in found],
            build_dir=(BUILD / "c").as_posix(),
            include_path=["src"],
            compiler_directives=DIRECTIVES,
            nthreads=jobs,
            force=True,
            quiet=True,
        )
    except CompileError as error:
        raise CannotCompile(f"Cython refuses {error}") from error
    return {each.name: each.sources for each in made}


class build_ext(setuptools_build_ext):
    """All extensions or none: one compiled against an uncompiled one cannot be imported."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or min(os.cpu_count() or 1, 4)

    def run(self) -> None:
        if getattr(self, "editable_mode", False):
            if MUST_COMPILE:
                raise SystemExit("longlink: an editable install is never compiled; install a wheel")
            print("longlink: an editable install is plain Python; nothing is compiled")
            self.extensions = []
            return
        if self.inplace:
            raise SystemExit(
                "longlink: refusing build_ext --inplace: a compiled module in src/ would win over "
                "the .py that you edit; build a wheel instead"
            )
        super().run()

    def build_extensions(self) -> None:
        try:
            self.build_all()
        except Exception as error:
            if MUST_COMPILE:
                raise
            self.fall_back(error)

    def build_all(self) -> None:
        compiler = getattr(self.compiler, "compiler_so", None)
        if compiler and not shutil.which(compiler[0]):
            raise CannotCompile(f"there is no C compiler here ({compiler[0]})")
        try:
            how = recipe()
        except importlib.metadata.PackageNotFoundError as error:
            raise CannotCompile("Cython is not installed") from error
        keys = {each.name: key(each, how) for each in self.extensions}
        self.build_stale([each for each in self.extensions if not self.is_built(each, keys)])
        for name, value in keys.items():
            self.mark(name).write_text(value)

    def build_stale(self, stale: list[Extension]) -> None:
        for each in stale:
            Path(self.get_ext_fullpath(each.name)).unlink(missing_ok=True)
            self.mark(each.name).unlink(missing_ok=True)
        sources = translate(stale, int(self.parallel)) if stale else {}
        for each in stale:
            each.sources = sources[each.name]
        every, self.extensions = self.extensions, stale
        super().build_extensions()
        self.extensions = every

    def mark(self, name: str) -> Path:
        """The file that remembers from what an extension was built."""
        return BUILD / f"{name}.key"

    def is_built(self, each: Extension, keys: dict[str, str]) -> bool:
        mark, made = self.mark(each.name), Path(self.get_ext_fullpath(each.name))
        return made.exists() and mark.exists() and mark.read_text() == keys[each.name]

    def fall_back(self, error: Exception) -> None:
        """Installs plain Python, tagged as such, and says so once."""
        for each in self.extensions:
            Path(self.get_ext_fullpath(each.name)).unlink(missing_ok=True)
        self.extensions = []
        wheel = self.distribution.get_command_obj("bdist_wheel", create=False)
        if wheel is not None:
            wheel.root_is_pure = True
        why = " ".join(str(error).split()) or type(error).__name__
        print(f"longlink: NOT COMPILED, installing plain Python, which works and is slower: {why}")


class build_py(setuptools_build_py):
    """Clears its folder first: setuptools would also pack what an earlier build left there."""

    def run(self) -> None:
        build_ext = self.get_finalized_command("build_ext")
        wanted = self.distribution.ext_modules or []
        keep = {Path(build_ext.get_ext_fullpath(each.name)) for each in wanted}
        for path in Path(self.build_lib).rglob("*"):
            if path.is_file() and path not in keep:
                path.unlink()
        super().run()


os.chdir(ROOT)
BUILD.mkdir(parents=True, exist_ok=True)
setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": build_ext, "build_py": build_py},
    options={
        "build": {"build_base": BUILD.as_posix()},
        "egg_info": {"egg_base": BUILD.as_posix()},
    },
)
