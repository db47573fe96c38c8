"""Names of variables, and which of them no workflow may give a value, because programs obey them.

A value may be an argument of a group or the result of a function that a group's data went through. In a variable at
which a shell, a loader, a language or a tool looks for code, for other programs or for its options, such a value
would decide what a step executes. So those names are refused wherever a name comes in: when a workflow is published,
when a run is planned, and once more by the program that starts the step. The list cannot be complete for every
program that an image may bring; it has the families that images for data work bring.
"""

import re

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
MAX_LENGTH = 128
_FAMILIES = (
    # What the runner itself tells a step.
    r"PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_.*|TMPDIR|python|FLOWSERVERLESS_.*",
    # Shells: start-up files, options, prompts that are executed, and variables that a shell sets or keeps itself.
    r"_|IFS|ENV|SHELL|SHELLOPTS|BASH.*|ZDOTDIR|FPATH|CDPATH|PWD|OLDPWD|PS[0-9]|PROMPT_COMMAND|FCEDIT|INPUTRC|HIST.+",
    r"GLOBIGNORE|EXECIGNORE|POSIXLY_CORRECT|MAIL|MAILPATH|MAILCHECK|E?UID|PPID|LINENO|OPT(IND|ARG|ERR)|S?RANDOM|SECONDS",
    r"EPOCH(REALTIME|SECONDS)|GROUPS|DIRSTACK|FUNCNAME|PIPESTATUS|SHLVL|HOST(NAME|TYPE)|MACHTYPE|OSTYPE|COMP_.*",
    # The loader and the C library.
    r"(LD|DYLD|GLIBC|GCONV|MALLOC|RESOLV|RES)_.*|NLSPATH|LOCPATH|TZDIR|HOSTALIASES|LOCALDOMAIN|TERM(CAP|INFO.*|PATH)?",
    # Languages and their package managers.
    r"PYTHON.*|PYTEST_.*|PYDEVD_.*|COVERAGE_.*|VIRTUAL_ENV|CONDA_.*|PIP_.*|UV_.*|IPYTHON.*|JUPYTER.*",
    r"MPL(BACKEND|CONFIGDIR)|MATPLOTLIBRC|DJANGO_.*|FLASK_.*|NUMBA_.*|PERL.*|PAR_.*|RUBY.*|GEM_.*|BUNDLE_.*",
    r"NODE_.*|NPM_CONFIG_.*|npm_config_.*|DENO_.*|(_?JAVA|JDK|MAVEN|GRADLE|SBT|JVM)_.*|CLASSPATH",
    r"R_(HOME|LIBS.*|PROFILE.*|ENVIRON.*|DEFAULT_PACKAGES|BROWSER|[A-Z]+_DIR)|RSTUDIO_.*|JULIA_.*|LUA_(C?PATH|INIT).*",
    r"PHP_.*|PHPRC|TCL_?LIB.*|GUILE_.*|OCAML(PATH|LIB|RUNPARAM)|GHC_.*|GHCRTS|ERL_.*|ELIXIR_.*|(DOTNET|CORECLR|MONO)_.*",
    r"GO(BIN|CACHE|DEBUG|ENV|EXE|FLAGS|MODCACHE|PATH|PROXY|ROOT|SUMDB|TOOLCHAIN)|CGO_.*|RUST(C|DOC|UP)?_.*|RUSTC|RUSTFLAGS",
    r"CARGO_.*|AWKPATH|AWKLIBPATH|OCTAVE_.*|MATLAB.*|STATA.*|SAS_.*",
    # Compilers and make.
    r"MAKE(FLAGS|FILES|OVERRIDES|LEVEL)|G?MFLAGS|GNUMAKEFLAGS|CC|CXX|(C|CXX|CPP|LD|F|FC)FLAGS|GCC_.*|COMPILER_PATH|CPATH",
    r"LIBRARY_PATH|[A-Z]+_INCLUDE_PATH|PKG_CONFIG.*|CMAKE_.*",
    # Tools that run other programs or read their configuration where a variable says.
    r"GIT_.*|SSH_.*|(CVS|RSYNC)_RSH|SVN_.*|HGRCPATH|LESS.*|(MAN)?PAGER|EDITOR|VISUAL|BROWSER|EXINIT|VIMINIT|TAR_OPTIONS",
    r"GZIP|XZ_(OPT|DEFAULTS)|ZIPOPT|UNZIP|GREP_OPTIONS|CURL_.*|WGETRC|NETRC|BC_ENV_ARGS|SQLITE_.*|GNUPGHOME|XDG_.*|DBUS_.*",
    r"(https?|ftp|all|no)_proxy|(HTTPS?|FTP|ALL|NO)_PROXY|SSL_.*|SSLKEYLOGFILE|OPENSSL_.*|REQUESTS_CA_BUNDLE|KRB5.*",
    # Engines and libraries that load code from where a variable says: jars of Spark, modules of GTK and GIO,
    # plugins of Qt, drivers of GDAL, OpenCL and Vulkan, coders of ImageMagick, passes of XLA, extensions and models of
    # PyTorch and Hugging Face, which are programs.
    r"(PYSPARK|SPARK|GTK|GIO|QT|GDAL|OCL|VK|MAGICK|TORCH|HF)_.*|XLA_FLAGS",
    # Clouds.
    r"(AWS|LAMBDA|ECS|AZURE|GOOGLE|CLOUDSDK|KUBE|DOCKER)_.*|KUBECONFIG",
)
RESERVED = re.compile("|".join(_FAMILIES))


def is_name(text: str) -> bool:
    """Whether a shell would take a text for the name of a variable."""
    return len(text) <= MAX_LENGTH and NAME.fullmatch(text) is not None


def is_reserved(name: str) -> bool:
    """Whether programs obey a variable of this name."""
    return RESERVED.fullmatch(name) is not None


def problem(name: str) -> str | None:
    """Why a workflow may not have a variable of this name; None if it may."""
    if not is_name(name):
        return "cannot be the name of a variable"
    return "is reserved: it changes how programs run" if is_reserved(name) else None
