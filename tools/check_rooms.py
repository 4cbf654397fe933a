#!/usr/bin/env python3
"""Checks the dependency rule: a file in src/ROOM includes only its own room and the rooms of its keelson_room line.

A test (*_test.cc, and test_*.h for what several share) may also include what those rooms are built on, to set its scene:
it is linked anyway.

The lines in CMakeLists.txt are the one place where the order of the rooms stands. Siblings inside src/control never
include each other; src/control/common is the exception that all of them share. The folders of src/api have an order.
"""
import pathlib, re, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The folders of src/api, lowest first: each includes only itself and those before it. Its other files may include all.
API = ('http', 'access', 'audit', 'fairness', 'answers', 'sessions', 'documents', 'outgoing')
ROOM = re.compile(r'^keelson_room\((\w+)(?:\s+USES\s+([\w\s]+?))?(?:\s+LIBS\b.*)?\)$', re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def rooms():
    text = (ROOT / 'CMakeLists.txt').read_text()
    return {m.group(1): set((m.group(2) or '').split()) for m in ROOM.finditer(text)}


def below(room, uses):
    """All rooms that this one is built on, directly or not."""
    found, left = set(), list(uses.get(room, ()))
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += uses.get(one, ())
    return found


def main():
    uses, faults = rooms(), []
    for folder in sorted(p.name for p in (ROOT / 'src').iterdir() if p.is_dir()):
        if folder not in uses: faults.append(f'src/{folder}: no keelson_room line in CMakeLists.txt')
    for path in sorted((ROOT / 'src').rglob('*')):
        if path.suffix not in ('.h', '.cc'): continue
        parts = path.relative_to(ROOT / 'src').parts
        room = parts[0]
        is_test = path.name.endswith('_test.cc') or (path.name.startswith('test_') and path.suffix == '.h')
        allowed = below(room, uses) if is_test else uses.get(room, set())
        for include in INCLUDE.findall(path.read_text()):
            target = include.split('/')
            where = path.relative_to(ROOT)
            if len(target) < 2 or target[0] not in uses:
                if (ROOT / 'src' / include).exists() or '/' not in include:
                    faults.append(f'{where}: include "{include}" by its path from src/')
                continue
            if target[0] != room and target[0] not in allowed:
                faults.append(f'{where}: room {room} may not include {include}')
            if room == 'api' == target[0] and len(parts) > 2 and not path.name.endswith('_test.cc') and \
                    target[1] not in API[:API.index(parts[1]) + 1]:
                faults.append(f'{where}: {parts[1]} is below {include}')
            if room == 'control' == target[0] and len(parts) > 2 and len(target) > 2 \
                    and target[1] not in (parts[1], 'common'):
                faults.append(f'{where}: controllers meet through objects, not through {include}')
    order, seen = list(uses), set()
    for name in order:
        late = uses[name] - seen
        if late: faults.append(f'CMakeLists.txt: room {name} uses {", ".join(sorted(late))} defined after it')
        seen.add(name)
    print('\n'.join(faults) if faults else f'rooms: {len(uses)} rooms keep the dependency rule')
    return 1 if faults else 0


sys.exit(main())
