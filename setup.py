"""Builds polepair._core; everything else is in pyproject.toml."""

import os
import platform
import re
from concurrent.futures import ThreadPoolExecutor
from glob import glob

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

AVX2, AVX512 = ["-mavx2"], ["-mavx512f", "-mprefer-vector-width=512"]
FUSED = ["-mfma", "-ffp-contract=fast"]
LANES = {"kernel_avx2.c": AVX2, "kernel_avx512.c": AVX512}
LANES |= {"kernel_fast_avx2.c": AVX2 + FUSED, "kernel_fast_avx512.c": AVX512 + FUSED}
LANES |= {"kernel_single_avx2.c": AVX2 + FUSED, "kernel_single_avx512.c": AVX512 + FUSED}
FULL_API = bool(os.environ.get("POLEPAIR_FULL_API"))  # debug interpreters count references only without the limited API
# The same bits everywhere: no contraction; and no SLP vectoriser, which in gcc 12 forms vfmaddsub in spite of that.
SAME_BITS = ["-ffp-contract=off", "-fno-tree-slp-vectorize"]
FLAGS = ["-std=c11", "-O3", "-fno-math-errno", *SAME_BITS, "-fvisibility=hidden", "-Wall", "-Wextra", "-Wshadow"]
FLAGS += ["-Wpointer-arith", "-Wstrict-prototypes", "-Werror=implicit-function-declaration"]
FLAGS += ["-g0"]  # Debian's own flags ask for -g: four fifths of the installed file; POLEPAIR_CFLAGS=-g brings it back
EXTRA = os.environ.get("POLEPAIR_CFLAGS", "").split()
MACROS = [("NPY_TARGET_VERSION", "NPY_1_22_API_VERSION")] + ([] if FULL_API else [("Py_LIMITED_API", "0x030b0000")])


def sources():
    """Every C file of the core, the host layer and the extension; the x86 kernels only on x86."""
    x86 = platform.machine() in ("x86_64", "AMD64")
    files = sorted(glob("csrc/core/*/*.c") + glob("csrc/host/**/*.c", recursive=True) + glob("csrc/python/*.c"))
    return [f for f in files if x86 or os.path.basename(f) not in LANES]


class Build(build_ext):
    """Adds the instruction set to the lane kernels only, and compiles on every core."""

    def build_extensions(self):
        compiler = self.compiler

        def compile_all(sources, output_dir=None, macros=None, include_dirs=None, debug=0, extra_preargs=None,
                        extra_postargs=None, depends=None):  # fmt: skip
            _, objects, extra, pp_opts, build = compiler._setup_compile(
                output_dir, macros, include_dirs, sources, depends, extra_postargs
            )
            cc_args = compiler._get_cc_args(pp_opts, debug, extra_preargs)

            def compile_one(obj):
                src, suffix = build[obj]
                lanes = LANES.get(os.path.basename(src), [])
                compiler._compile(obj, src, suffix, cc_args, extra + lanes, pp_opts)

            slowest_first = sorted((o for o in objects if o in build), key=lambda o: "kernel_" not in o)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(compile_one, slowest_first))  # raises what a compiler raised
            return objects

        compiler.compile = compile_all
        super().build_extensions()


HEADERS = glob("csrc/**/*.h", recursive=True) + glob("csrc/**/*.def", recursive=True)
CORE = Extension(
    "polepair._core",
    sources(),
    include_dirs=["csrc/include", numpy.get_include()],
    define_macros=MACROS,
    extra_compile_args=FLAGS + EXTRA,
    extra_link_args=EXTRA,
    depends=["setup.py", *sorted(HEADERS)],
    py_limited_api=not FULL_API,
)


def mqtt():
    """polepair._mqtt on Debian's paho.mqtt.c, linked statically so that its socket calls go through a read buffer
    and its bookkeeping for debugging be left out. None where paho is not there: everything else works."""
    library = next(iter(glob("/usr/lib/*/libpaho-mqtt3as.a")), None)
    if library is None:
        return []
    sockets = ("recv", "writev", "poll", "connect", "close", "SSL_new", "SSL_read", "SSL_pending", "SSL_write",
               "ERR_clear_error")  # fmt: skip
    exchange = ("MQTTPacket_send_puback", "MQTTProtocol_writeAvailable", "MQTTProtocol_startPublish")
    tracking = ("mymalloc", "myrealloc", "myfree", "StackTrace_entry", "StackTrace_exit", "Log")
    wrapped = [f"-Wl,--wrap={name}" for name in sockets + exchange + tracking]
    return [
        Extension(
            "polepair._mqtt",
            [*sorted(glob("csrc/mqtt/*.c")), "csrc/host/clock.c"],
            include_dirs=["csrc/include"],
            define_macros=MACROS,
            extra_compile_args=[*FLAGS, "-ftls-model=initial-exec", *EXTRA],  # read for each byte of a header
            extra_link_args=[library, "-lssl", "-lcrypto", "-lpthread", *wrapped, *EXTRA],
            depends=["setup.py", *sorted(HEADERS), library],
            py_limited_api=not FULL_API,
        )
    ]


OPTIONS = {} if FULL_API else {"bdist_wheel": {"py_limited_api": "cp311"}}
with open("csrc/include/polepair/base.h") as base:  # the one place of the version
    VERSION = re.search(r'PP_VERSION "(.+)"', base.read())[1]
ONLY = os.environ.get("POLEPAIR_ONLY", "")  # of the two extensions: a build of one with other flags
WANTED = [e for e in (CORE, *mqtt()) if e.name.endswith(ONLY)]
setup(version=VERSION, ext_modules=WANTED, cmdclass={"build_ext": Build}, options=OPTIONS)
