"""tests/faults/failing.c seen from the test: which process, which request for memory, and what came of it."""
import mmap
import struct

from harness import BUILD, SHM, alive

LIBRARY = BUILD / "faults/failing.so"
NOBODY, FIRST, NEXT_CHILD = 0, -1, -2
WHERE, NAMES, END = 24, 268, 4108       # offsets in struct control


class Failing:
    def __init__(self, path):
        path.write_bytes(bytes(END))
        self.file = path.open("r+b")
        self.map = mmap.mmap(self.file.fileno(), END)
        self.env = {"FAILING": str(path), "LD_PRELOAD": str(LIBRARY)}

    def field(self, number, value=None):
        if value is None:
            return struct.unpack_from("=i", self.map, 4 * number)[0]
        struct.pack_into("=i", self.map, 4 * number, value)

    def arm(self, who, at, on=False):
        """From now on let number `at` fail (0: none), or that and all behind it."""
        self.field(0, NOBODY)
        for number, value in ((1, at), (2, int(on)), (3, 0), (4, 0)):
            self.field(number, value)
        self.map[WHERE:NAMES] = bytes(NAMES - WHERE)
        self.field(0, who)

    def disarm(self):
        self.field(0, NOBODY)

    @property
    def who(self):
        return self.field(0)

    @property
    def seen(self):
        return self.field(3)

    @property
    def failed(self):
        return self.field(4)

    @property
    def where(self):
        return self.map[WHERE:NAMES].split(b"\0")[0].decode()

    def segments_left(self):
        """What is there of those whose shared memory was made here."""
        names = self.map[NAMES:NAMES + min(self.field(5), END - NAMES)].split(b"\0")
        tokens = {name.decode().split(".")[1] for name in names if name}
        return [p.name for token in tokens for p in SHM.glob(f"akin.{token}.*")]


class Slot:
    """Worker 0 as the board has it, read without asking it anything."""

    def __init__(self, token):
        self.board = SHM / f"akin.{token}.board"
        with self.board.open("rb") as f:
            self.at, = struct.unpack_from("=Q", f.read(64), 24)

    def look(self):
        with self.board.open("rb") as f:
            f.seek(self.at)
            return struct.unpack("=iIQ", f.read(16))

    def serving(self):
        """The id of a worker that serves, or 0."""
        pid, state, _ = self.look()
        return pid if state == 2 and pid > 0 and alive(pid) else 0

    def generation(self):
        return self.look()[2]
