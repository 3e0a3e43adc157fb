#!/usr/bin/python3
"""Checks on the source text that a compiler does not make.

  check-source.py layers            who may include what
  check-source.py rooms             rooms of nodes/core: downwards only, through the door; no circles anywhere;
                                    what a node consists of is known to node.c and messages.c alone
  check-source.py rooms-tested      every room has check_invariants(), and a unit test that knows its door only
  check-source.py rooms-fail        the same, of copies of the source with one fault each: that it finds them
  check-source.py lengths           files and functions that do not fit a head
  check-source.py state             every field of the replicated state is in a list of fields beside its table
  check-source.py state-fail        the same, of copies of the source with one fault each: that it finds them
  check-source.py bans              functions that nobody calls, and those that no core calls
  check-source.py packages          every header is of a package that `make test` installs
  check-source.py symbols LIB...    what the cores' objects ask of the outside world
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOTS = ("shared", "nodes", "broker", "clients")
CORE = "nodes/core/"

# header pattern -> the folders that may include it; everybody else may not.
LAYERS = {
    r"msgpack(\.h|/)": ("shared/wire/",),
    r"c?zmq(_\w+)?\.h": ("shared/bus/", "nodes/io/", "broker/", "clients/"),
    r"zsys|zauth|zcert|zactor": ("shared/bus/", "nodes/io/", "broker/", "clients/"),
    r"lmdb\.h": ("nodes/io/",),
    r"gmp\.h": ("nodes/work/", "clients/input/"),
    r"zlib\.h": ("clients/input/",),
}
# What neither a core nor any project header that it includes may include.
CORE_HEADERS = (r"c?zmq|msgpack|lmdb|gmp|time\.h|sys/time|threads\.h|pthread|stdio\.h|unistd\.h|"
                r"sys/socket|fcntl\.h|signal\.h|poll\.h|stdatomic\.h")

BANNED = "strcpy strcat sprintf vsprintf strtok atoi atol atoll atof gets system".split()
BANNED_IN_CORE = """time gettimeofday clock_gettime rand srand random rand_r getrandom sleep usleep nanosleep
    printf fprintf vprintf vfprintf dprintf puts fputs putchar""".split()
SYMBOLS_IN_CORE = re.compile(r"^(zmq_|z[a-z]+_new|msgpack_|mdb_|__gmp|pthread_|thrd_|mtx_|open|read|write|close|"
                             r"fopen|fwrite|fread|socket|connect|bind|poll|exit|getenv|"
                             + "|".join(BANNED + BANNED_IN_CORE) + r")$|^(zmq_|msgpack_|mdb_|__gmp|pthread_)")

# An empty slice may have no address, which these must not be given even for no bytes (shared/base/slice.h).
OF_SLICES = re.compile(r"\bmem(?:cpy|cmp|move)\s*\((?:[^;]*?,)?\s*([\w\[\]>.-]+)\.at,(?:[^;]*?,)?\s*\1\.len\s*\)")

# Files for users come from one place (clients/local/outfile.h); the lock of a directory is opened, not written.
WRITES = re.compile(r'\bO_CREAT\b|\bmkstemp\w*\s*\(|\bjson_dump_file\s*\(|\bfopen\s*\([^;]*"[wa]')
WRITERS = ("clients/local/outfile.c", "clients/local/local.c")

# What comes with the compiler, beside the packages of the groups build and test (tests/tools/deps.sh).
COMPILERS = re.compile(r"libc6-dev|linux-libc-dev|libgcc-\d+-dev|libstdc\+\+-\d+-dev")
# Built only where a package of the group bench is.
NOT_TESTED = ("tests/bench/gearman_jobs.c",)

# The rooms of nodes/core from bottom to top: each may include those before it, and of them only the door, ROOM/ROOM.h.
ROOMS = "kinds step link raft snapshot state worker runner schedule tasks uploads ledger service".split()
# Libraries that need no room: whoever wants them takes them as they are.
LIBRARIES = ("values", "records")
# What a job may be is the same for a node and for who submits it: the door is open to all.
PUBLIC = CORE + "kinds/kinds.h"
# Where a node is put together.
TOP = ("nodes/core/node.c", "nodes/core/messages.c", "nodes/core/node.h", "nodes/core/rooms.h")
# struct node as what it consists of: for what stands above the rooms, and for the one file through which tests look inside.
INSIDE = "nodes/core/rooms.h"
INSIDERS = ("nodes/core/node.c", "nodes/core/messages.c", "tests/harness/inside.c")
# Headers that bring a whole node into a test.
WHOLE = (r"nodes/core/(node|rooms)\.h|nodes/io/|tests/sim/|"
         r"tests/harness/(bench|inside|ledgers|snapshots|stage|trace|worlds)\.h")
# Where what must hold of a room is not checked by a function of its name.
CHECKED_BY = {"link": "links_check_invariants"}

# A file that passes this is two, and a function fits a screen. Tables are no functions.
FILE_LINES_MAX, FUNCTION_LINES_MAX, COLUMNS_MAX = 600, 70, 100
PUBLIC_HEADER = "clients/library/conclave.h"  # users of the library include one

# Where the replicated state is; and the structs of its headers that are compared byte by byte, or are no part of it.
STATE = CORE + "state/"
STATE_WHOLE = ("trace_mark", "job_executor")
STATE_APART = ("row", "row_watch", "row_group", "row_groups", "checkpoint_builds", "checkpoint_sink", "bundle",
               "released", "released_value",
               "state_table", "fields", "member", "comparison")

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


def sources():
    """Every C file of the programs, in a stable order."""
    for root in ROOTS:
        yield from sorted(p for p in pathlib.Path(root).rglob("*.[ch]"))


def code_of(path):
    """The text without comments and string contents, line numbers kept."""
    def blank(match):
        text = match.group(0)
        return '""' if text[0] in "\"'" else "\n" * text.count("\n") or " "
    text = path.read_text(encoding="utf-8")
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)


def includes(path):
    return [(path.read_text(encoding="utf-8")[:m.start(1)].count("\n") + 1, m.group(1))
            for m in INCLUDE.finditer(path.read_text(encoding="utf-8"))]


def layers():
    faults, cores = [], 0
    for path in sources():
        for line, header in includes(path):
            for pattern, allowed in LAYERS.items():
                if re.match(pattern, header) and not str(path).startswith(allowed):
                    faults.append(f"{path}:{line}: includes {header}; only {', '.join(allowed)} may")
        if str(path).startswith(CORE):
            cores += 1
            faults += core_faults(path)
    return sorted(set(faults)), f"layers: {cores} files of the cores include nothing of the world outside"


def core_faults(core):
    """Follows the project's own headers from one core."""
    faults, seen, todo = [], set(), [core]
    while todo:
        path = todo.pop()
        for line, header in includes(path):
            if re.match(CORE_HEADERS, header):
                via = "" if path == core else f" (through it {core} does, too)"
                faults.append(f"{path}:{line}: includes {header}, which no core may{via}")
            if str(core).startswith(CORE) and re.match(r"nodes/(io|work)/", header):
                faults.append(f"{path}:{line}: a core includes {header}")
            target = pathlib.Path(header)
            if target.is_file() and target not in seen:
                seen.add(target)
                todo.append(target)
    return faults


def room_faults(path, line, header):
    """What is wrong with one include of a room's header."""
    if header == INSIDE:
        return [] if str(path) in INSIDERS else [
            f"{path}:{line}: includes {header}; struct node is known to {', '.join(INSIDERS)} alone"]
    room = re.match(CORE + r"(\w+)/", header)
    if not room or room.group(1) in LIBRARIES:
        return []
    room, own = room.group(1), path.parent.name if str(path).startswith(CORE) else None
    top, faults = str(path) in TOP, []
    if room == own or header == PUBLIC:
        return []
    if room not in ROOMS:
        return [f"{path}:{line}: {room} is no room"]
    if own in ROOMS and ROOMS.index(room) > ROOMS.index(own):
        faults.append(f"{path}:{line}: {own} includes {header}, but {room} lies above it")
    if own in LIBRARIES or (own not in ROOMS and not top and str(path).startswith(ROOTS)):
        faults.append(f"{path}:{line}: includes {header}; outside of the rooms only nodes/core/node.h is to be used")
    elif not top and header != f"{CORE}{room}/{room}.h":
        faults.append(f"{path}:{line}: includes {header}; the door of that room is {CORE}{room}/{room}.h")
    return faults


def find_circle(graph):
    """Files that include each other, as a list that ends where it begins; None: there are none."""
    done, trail = set(), []

    def visit(name):
        if name in trail:
            return trail[trail.index(name):] + [name]
        if name in done:
            return None
        trail.append(name)
        for other in graph.get(name, ()):
            circle = visit(other)
            if circle:
                return circle
        trail.pop()
        done.add(name)
        return None

    return next(filter(None, map(visit, sorted(graph))), None)


def node_faults(path):
    """Rooms have their own structs, never the node's."""
    if not str(path).startswith(CORE) or str(path) in TOP:
        return []
    return [f"{path}:{number}: a room that names struct node"
            for number, line in enumerate(code_of(path).splitlines(), 1) if re.search(r"\bstruct node\b", line)]


def rooms():
    faults, graph = [], {}
    for path in sources():
        faults += node_faults(path)
        graph[str(path)] = [header for _, header in includes(path)]
        for line, header in includes(path):
            faults += room_faults(path, line, header)
    for path in sorted(pathlib.Path("tests").rglob("*.[ch]")):
        faults += [fault for line, header in includes(path) if header == INSIDE
                   for fault in room_faults(path, line, header)]
    circle = find_circle(graph)
    if circle:
        faults.append("files include each other: " + " -> ".join(circle))
    return faults, ("rooms: " + " < ".join(ROOMS) + ", each through its door; struct node is known "
                    "to node.c and messages.c, and to tests through tests/harness/inside.c; no circle of includes in the whole tree")


def tests_of(room, check):
    """The unit tests that know of this room its door only, and check what must hold of it."""
    door, found = f"{CORE}{room}/{room}.h", []
    for path in sorted(pathlib.Path("tests/unit").glob("test_*.c")):
        headers = [header for _, header in includes(path)]
        inner = [header for header in headers if header.startswith(f"{CORE}{room}/") and header != door]
        whole = [header for header in headers if re.match(WHOLE, header)]
        if door in headers and not inner and not whole and re.search(rf"\b{check}\(", code_of(path)):
            found.append(path.stem)
    return found


def rooms_tested():
    faults, told = [], []
    for room in ROOMS:
        check = CHECKED_BY.get(room, room + "_check_invariants")
        headers = "".join(code_of(path) for path in sorted(pathlib.Path(CORE, room).glob("*.h")))
        if not re.search(rf"\b{check}\(", headers):
            faults.append(f"{CORE}{room}: has no {check}()")
        tests = tests_of(room, check)
        if not tests:
            faults.append(f"{CORE}{room}: no tests/unit/test_*.c knows its door only, and calls {check}()")
        told.append(f"{room} ({', '.join(tests)})")
    return faults, "rooms-tested: " + ", ".join(told)


# What is planted in a file, and what rooms() must say of it.
PLANTED = {
    "an include upwards": ("nodes/core/link/peers.c", '#include "nodes/core/raft/raft.h"', "raft lies above it"),
    "one past a door": ("nodes/core/worker/worker.c", '#include "nodes/core/raft/election.h"', "the door of that room is"),
    "one into the rooms from outside": ("nodes/io/loop.c", '#include "nodes/core/step/step.h"', "only nodes/core/node.h"),
    "a circle of two files": ("shared/base/blob.h", '#include "shared/wire/message.h"', "files include each other"),
    "a circle in one room": ("nodes/core/raft/machine.h", '#include "nodes/core/raft/sweep.h"',
                             "files include each other"),
    "a program that looks into a node": ("nodes/io/loop.c", '#include "nodes/core/rooms.h"', "struct node is known to"),
    "a room that looks into a node": ("nodes/core/ledger/ledger.c", "struct node *whole;", "names struct node"),
}


def planted(check, faults_by_name):
    """Runs a check on a copy of the sources for each fault: a line behind the one that begins as said; "": the first."""
    faults, home = [], os.getcwd()
    with tempfile.TemporaryDirectory() as copy:
        for path in sources():
            pathlib.Path(copy, path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, pathlib.Path(copy, path))
        os.chdir(copy)
        for name, (file, before, line, expected) in faults_by_name.items():
            sound = pathlib.Path(file).read_text(encoding="utf-8")
            at = sound.index("\n", sound.index("\n" + before) + 1) + 1 if before else 0
            pathlib.Path(file).write_text(sound[:at] + line + "\n" + sound[at:], encoding="utf-8")
            found, _ = check()
            pathlib.Path(file).write_text(sound, encoding="utf-8")
            if not found or not all(expected in it for it in found):
                faults.append(f"{name}, planted in {file}, is not found: {found or 'nothing is'}")
        os.chdir(home)
    return faults, f"{len(faults_by_name)} planted faults are found: " + ", ".join(faults_by_name)


def rooms_fail():
    faults, summary = planted(rooms, {name: (file, "", line, expected)
                                      for name, (file, line, expected) in PLANTED.items()})
    return faults, "rooms-fail: " + summary


def functions(lines):
    """Yields the first line, from 0, and the number of lines of every function, as clang-format sets them."""
    for at, line in enumerate(lines):
        if line == "{":
            begin = at - 1
            while begin and not re.match(r"\w.*\(", lines[begin]):
                begin -= 1
            yield begin, lines.index("}", at) - begin + 1


def lengths():
    faults, count = [], 0
    for path in [*sources(), *sorted(pathlib.Path("tests").rglob("*.[chp]*"))]:
        if path.suffix not in (".c", ".h", ".py"):
            continue
        count += 1
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > FILE_LINES_MAX and str(path) != PUBLIC_HEADER:
            faults.append(f"{path}: {len(lines)} lines; it should be two files")
        if path.suffix == ".py":
            continue
        faults += [f"{path}:{begin + 1}: {n} lines; it should be two functions"
                   for begin, n in functions(lines) if n > FUNCTION_LINES_MAX]
        faults += [f"{path}:{number}: {len(line)} columns" for number, line in enumerate(lines, 1)
                   if len(line) > COLUMNS_MAX]
    return faults, f"lengths: {count} files of up to {FILE_LINES_MAX} lines, functions of up to {FUNCTION_LINES_MAX}"


def members(text):
    """The members of each struct that a header defines: {struct: [member]}."""
    found = {}
    for name, body in re.findall(r"^struct (\w+) \{\n(.*?)^\};", text, re.M | re.S):
        found[name] = [re.sub(r"\[.*?\]", "", declarator).split()[-1].lstrip("*")
                       for line in body.split(";") if line.strip() and "(*" not in line
                       for declarator in re.sub(r"\[.*?\]", "", line).split(",")]
    return found


def tables_of_state():
    """The structs that the rows of STATE_TABLES hold: {member of struct state: struct}."""
    rows = re.findall(r"^ +X\(\w+, (\w+), struct (\w+) ?\*?\)", code_of(pathlib.Path(STATE + "tables.h")), re.M)
    return dict(rows)


def state():
    rows, declared, where, faults = {}, {}, {}, []
    for path in sorted(pathlib.Path(STATE).glob("*.[ch]")):
        text = code_of(path)
        for struct, member in re.findall(r"\b(?:FIELD|OWN|DERIVED|WITHIN)\((\w+),\s*(\w+)[,)]", text):
            rows.setdefault(struct, set()).add(member)
        for struct, names in members(re.sub(r"^#.*\n|^ *STATE_TABLES\(X\)\n", "", text, flags=re.M)).items():
            declared[struct], where[struct] = names, path
    tables = tables_of_state()
    # All that headers declare; what a file keeps to itself, when it is a table or of one that has a list.
    wanted = [struct for struct in declared if struct not in STATE_WHOLE + STATE_APART and
              (where[struct].suffix == ".h" or struct in tables.values() or struct in rows)]
    faults += [f"{STATE}tables.h: the table {name} is a struct {struct} that no file of {STATE} declares"
               for name, struct in tables.items() if struct not in declared]
    for struct in wanted:
        faults += [f"{where[struct]}: struct {struct} has {name}, of which no list of fields tells"
                   for name in declared[struct] if name not in rows.get(struct, ())]
    count = sum(len(declared[struct]) for struct in wanted)
    return faults, f"state: {count} fields of {len(tables)} tables, each in a list beside its table"


# What is planted behind which line of a file of the state, and what state() must say of it.
STATE_PLANTED = {
    "a field of a table": (STATE + "snaps.h", "struct snaps {", "    uint64_t extra;", "struct snaps has extra"),
    "a field of a row": (STATE + "jobs.h", "struct done_op {", "    struct blob *extra;", "struct done_op has extra"),
    "a field of the state": (STATE + "state_types.h", "struct state {", "    bool extra[2];", "struct state has extra"),
    "a table of nothing": (STATE + "tables.h", "#define STATE_TABLES(X)", "    X(EXTRA, extra, struct extra *) \\",
                           "is a struct extra that no file"),
    "a table without a list, in its own file": (STATE + "tables.h", "#define STATE_TABLES(X)",
                                                "    X(EXTRA, extra, struct hashes *) \\", "struct hashes has"),
}


def state_fail():
    faults, summary = planted(state, STATE_PLANTED)
    return faults, "state-fail: " + summary


def bans():
    faults, count = [], 0
    for path in sources():
        count += 1
        banned = BANNED + (BANNED_IN_CORE if str(path).startswith(CORE) else [])
        call = re.compile(r"(?<![\w.>])(" + "|".join(banned) + r")\s*\(")
        for number, line in enumerate(code_of(path).splitlines(), 1):
            faults += [f"{path}:{number}: {m.group(1)} is banned here" for m in call.finditer(line)]
        text = code_of(path)
        faults += [f"{path}:{text[:m.start()].count(chr(10)) + 1}: {m.group(1)} may be an empty slice: shared/base/slice.h"
                   for m in OF_SLICES.finditer(text) if str(path) != "shared/base/slice.h"]
        if str(path).startswith(("clients/", "broker/")) and str(path) not in WRITERS:
            text = path.read_text(encoding="utf-8")
            faults += [f"{path}:{text[:m.start()].count(chr(10)) + 1}: only clients/local/outfile.c writes files"
                       for m in WRITES.finditer(text)]
    return faults, f"bans: {count} files call nothing banned"


def installed_for_tests():
    """The packages of the groups build and test."""
    rows = [row.split() for row in pathlib.Path("tests/tools/deps.sh").read_text(encoding="utf-8").splitlines()]
    return {name for row in rows if row[:1] in (["build"], ["test"]) for name in row[2].split("|")}


def owners_of(headers):
    """For each header the packages here that have it."""
    listed = subprocess.run(["dpkg-query", "-S", "*/include/*.h"], capture_output=True, text=True, check=False).stdout
    owners = {header: set() for header in headers}
    for line in listed.splitlines():
        names, _, file = line.partition(": ")
        parts = re.sub(r"^.*?/include/(?:[^/]+-linux-gnu/)?", "", file).split("/")
        header = "/".join(parts)
        if header in owners:
            owners[header] |= {name.split(":")[0] for name in names.split(", ")}
    return owners


def packages():
    users = {}
    for path in [*sources(), *sorted(pathlib.Path("tests").rglob("*.[ch]"))]:
        if str(path) not in NOT_TESTED:
            for header in re.findall(r"^\s*#\s*include\s*<([^>]+)>", path.read_text(encoding="utf-8"), re.M):
                users.setdefault(header, path)
    if not shutil.which("dpkg-query"):
        return [], "packages: nobody here knows which package has a header"
    allowed = installed_for_tests()
    faults = [f"{users[header]}: <{header}> is of {' '.join(sorted(owners))}, which make test does not install"
              for header, owners in sorted(owners_of(users).items())
              if owners and not any(owner in allowed or COMPILERS.fullmatch(owner) for owner in owners)]
    return faults, f"packages: {len(users)} headers are the compiler's, or of packages that make test installs"


def symbols(archives):
    faults = []
    for archive in archives:
        out = subprocess.run(["nm", "-A", "-u", archive], capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            where, _, name = line.rpartition(" U ")
            if SYMBOLS_IN_CORE.search(name.split("@")[0].strip()):
                faults.append(f"{where.strip().rstrip(':')}: asks for {name}")
    return faults, "symbols: the cores' objects ask for no clock, file, socket, thread or number library"


def main(argv):
    checks = {"layers": layers, "rooms": rooms, "rooms-tested": rooms_tested, "rooms-fail": rooms_fail,
              "state": state, "state-fail": state_fail, "lengths": lengths, "bans": bans, "packages": packages,
              "symbols": lambda: symbols(argv[1:])}
    if not argv or argv[0] not in checks:
        sys.exit(__doc__)
    faults, summary = checks[argv[0]]()
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        sys.exit(f"{argv[0]}: {len(faults)} faults")
    print(summary)


if __name__ == "__main__":
    main(sys.argv[1:])
