"""Draws what `phiseal demo` leaves on a terminal: docs/draw-demo.py target/debug/phiseal >docs/demo.svg

It runs the program in a terminal of its own, obeys what it writes as a terminal would, and draws the last screen."""

import codecs
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from xml.sax.saxutils import escape

COLUMNS, ROWS = 100, 200
CHARACTER, LINE = 8.43, 19
PLAIN, BOLD = "#c3cad6", "#ffffff"
COLORS = {1: "#f08a7c", 2: "#8fd18f", 3: "#e5c07b", 4: "#7fb4e6", 5: "#c99be0", 6: "#7fd1d1"}
CONTROL = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b.|[\r\n\x08]|[^\x1b\r\n\x08]+", re.DOTALL)
LABEL = (
    "Terminal output of phiseal demo: 100,000 made-up students are sealed, the program is killed with SIGKILL on the way "
    "and resumes, every value is decrypted and compared, and the plaintext is removed from the table and from the file"
)


def run(arguments):
    """What the program writes to a terminal of COLUMNS columns."""
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("4H", ROWS, COLUMNS, 0, 0))
    environment = {"TERM": "xterm-256color", "PATH": os.environ["PATH"]}
    program = subprocess.Popen(arguments, stdin=its_end, stdout=its_end, stderr=its_end, env=environment)
    os.close(its_end)
    decoder = codecs.getincrementaldecoder("utf-8")()
    written = ""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the program has ended
            break
        written += decoder.decode(part)
    if program.wait() != 0:
        sys.exit("the demonstration failed:\n" + written)
    return written


class Screen:
    """Lines of cells, each a character and its color."""

    def __init__(self):
        self.lines, self.row, self.column = [[]], 0, 0
        self.color, self.bold = PLAIN, False

    def write(self, text):
        for control in CONTROL.finditer(text):
            numbers, letter = control.groups()
            if letter:
                self.obey([int(n) for n in re.findall(r"\d+", numbers)], letter)
            elif control[0] == "\n":
                self.move(self.row + 1, 0)
            elif control[0] == "\r":
                self.column = 0
            elif control[0] == "\x08":
                self.column = max(0, self.column - 1)
            elif control[0][0] != "\x1b":
                for character in control[0]:
                    self.put(character)

    def put(self, character):
        if self.column >= COLUMNS:
            self.move(self.row + 1, 0)
        line = self.lines[self.row]
        line.extend([(" ", PLAIN)] * (self.column + 1 - len(line)))
        line[self.column] = (character, BOLD if self.bold and self.color == PLAIN else self.color)
        self.column += 1

    def move(self, row, column):
        self.row, self.column = max(0, row), max(0, column)
        self.lines.extend([] for _ in range(self.row + 1 - len(self.lines)))

    def obey(self, numbers, letter):
        count = (numbers or [1])[0] or 1
        if letter == "A":
            self.move(self.row - count, self.column)
        elif letter == "B":
            self.move(self.row + count, self.column)
        elif letter == "C":
            self.move(self.row, self.column + count)
        elif letter == "D":
            self.move(self.row, self.column - count)
        elif letter == "G":
            self.move(self.row, count - 1)
        elif letter == "K":
            self.lines[self.row] = [] if numbers == [2] else self.lines[self.row][: self.column]
        elif letter == "J":
            self.lines[self.row] = self.lines[self.row][: self.column]
            del self.lines[self.row + 1 :]
        elif letter == "m":
            for number in numbers or [0]:
                self.style(number)

    def style(self, number):
        if number == 0:
            self.color, self.bold = PLAIN, False
        elif number in (1, 22):
            self.bold = number == 1
        elif number == 39:
            self.color = PLAIN
        elif 30 <= number <= 37 or 90 <= number <= 97:
            self.color = COLORS.get(number % 10, PLAIN)


def spans(line):
    """The line as (first column, text, color), a span for each color."""
    found = []
    for column, (character, color) in enumerate(line):
        if found and found[-1][2] == color:
            found[-1][1] += character
        else:
            found.append([column, character, color])
    return [(column + len(text) - len(text.lstrip()), text.strip(), color) for column, text, color in found if text.strip()]


def draw(lines):
    width = round(COLUMNS * CHARACTER + 40)
    height = 54 + len(lines) * LINE + 6
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{LABEL}">'
    yield f'<rect width="{width}" height="{height}" rx="8" fill="#14181f"/>'
    yield '<circle cx="22" cy="20" r="5.5" fill="#3a4250"/><circle cx="40" cy="20" r="5.5" fill="#3a4250"/><circle cx="58" cy="20" r="5.5" fill="#3a4250"/>'
    yield f"<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\" fill=\"{PLAIN}\" xml:space=\"preserve\">"
    for number, line in enumerate(lines):
        for column, text, color in spans(line):
            x, y, length = 20 + column * CHARACTER, 54 + number * LINE, len(text) * CHARACTER
            fill = "" if color == PLAIN else f' fill="{color}"'
            yield f'<text x="{x:.1f}" y="{y}"{fill} textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
    yield "</g>"
    yield "</svg>"


screen = Screen()
screen.write("\x1b[32m$ phiseal demo\x1b[0m\r\n" + run([sys.argv[1], "demo", *sys.argv[2:]]))
while screen.lines and not spans(screen.lines[-1]):
    screen.lines.pop()
print("\n".join(draw(screen.lines)))
