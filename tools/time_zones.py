#!/usr/bin/env python3
"""Writes src/model/time_zones.inc from the machine's time zone database (Debian's tzdata).

A line is a zone: its name and the rule that holds from the last listed change on, in POSIX form.
Changes since 2024 that do not follow from the rule come behind it: "@OFFSET" is the offset before
the first of them, then "TIME:OFFSET" each, in seconds since 1970 and seconds east. Earlier changes
are left out: nothing is scheduled in the past.

    tools/time_zones.py > src/model/time_zones.inc
"""
import calendar
import re
import struct
import sys
import zoneinfo

BEGIN = calendar.timegm((2024, 1, 1, 0, 0, 0))
END = calendar.timegm((2037, 1, 1, 0, 0, 0))
ROOT = "/usr/share/zoneinfo/"
OFFSET = r"[+-]?\d+(?::\d+)?(?::\d+)?"
NAME = r"(?:<[^>]+>|[A-Za-z]+)"


def seconds(text):
    sign = -1 if text.startswith("-") else 1
    parts = [int(p) for p in text.lstrip("+-").split(":")] + [0, 0]
    return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2])


def date(year, rule):
    month, week, day = map(int, re.match(r"M(\d+)\.(\d+)\.(\d+)", rule).groups())
    time = seconds(rule.split("/")[1]) if "/" in rule else 7200
    first = (calendar.weekday(year, month, 1) + 1) % 7
    at = 1 + (day - first) % 7 + 7 * (week - 1)
    while at > calendar.monthrange(year, month)[1]:
        at -= 7
    return calendar.timegm((year, month, at, 0, 0, 0)) + time


def by_rule(footer, first, last):
    match = re.fullmatch(f"{NAME}({OFFSET})(?:{NAME}({OFFSET})?,(.*),(.*))?", footer)
    assert match, footer
    standard = -seconds(match[1])
    if not match[3]:
        return []
    saving = -seconds(match[2]) if match[2] else standard + 3600
    changes = []
    for year in range(first, last + 1):
        changes.append((date(year, match[3]) - standard, saving))
        changes.append((date(year, match[4]) - saving, standard))
    return sorted(changes)


def read(name):
    data = open(ROOT + name, "rb").read()
    def header(at):
        return struct.unpack(">6l", data[at + 20:at + 44])
    utc, std, leap, times, types, chars = header(0)
    second = 44 + times * 5 + types * 6 + chars + leap * 8 + std + utc
    utc, std, leap, times, types, chars = header(second)
    at = second + 44
    moments = struct.unpack(f">{times}q", data[at:at + times * 8])
    kinds = data[at + times * 8:at + times * 9]
    at += times * 9
    offsets = [struct.unpack(">lbb", data[at + 6 * i:at + 6 * i + 6])[0] for i in range(types)]
    footer = data[data.rindex(b"\n", 0, -1) + 1:-1].decode()
    before = current = offsets[0]
    changes = []
    for moment, kind in zip(moments, kinds):
        if moment < BEGIN:
            before = offsets[kind]
        elif offsets[kind] != current:  # some only change the name
            changes.append((moment, offsets[kind]))
        current = offsets[kind]
    return footer, before, changes


def main():
    print("// Written by tools/time_zones.py: the time zones of the IANA database, one a line.")
    print('R"zones(')
    for name in sorted(zoneinfo.available_timezones() - {"localtime"}):
        footer, before, changes = read(name)
        ruled = [c for c in by_rule(footer, 2024, 2036) if BEGIN <= c[0] < END]
        odd = set(c for c in changes if c[0] < END) ^ set(ruled)
        odd |= set(c for c in changes if c[0] >= END and c not in by_rule(footer, 2036, 2100))
        line = name + " " + footer
        if odd:
            last = max(c[0] for c in odd)
            listed = [c for c in changes if c[0] <= last]
            if not listed or listed[-1][0] < last:
                listed.append((last, listed[-1][1] if listed else before))
            line += f" @{before} " + " ".join(f"{t}:{o}" for t, o in listed)
        print(line)
    print(')zones"')


sys.exit(main())
