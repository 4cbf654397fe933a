#!/usr/bin/env python3
"""The project's own rules that no compiler checks, one function each. Prints file:line: what is wrong."""
import pathlib, re, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CODE = ('.h', '.cc')
# Real time, entropy, threads and system calls belong to host/linux; command-line code and tests may use them too.
OUTSIDE = re.compile(r'\b(std::chrono::(system|steady|high_resolution)_clock|std::random_device|std::thread\b|std::async'
                     r'|std::mt19937|std::uniform_\w+_distribution|gettimeofday|clock_gettime|sleep_for|usleep|nanosleep'
                     r'|getrandom|RAND_bytes)')
OUTSIDE_FREE = ('host/linux', 'app', 'api/http/tls', 'api/access/pki', 'api/encryption_at_rest', 'node/stand_in', 'node/keeper')
LIMITS = {'.h': 400, '.cc': 900}  # hard limits; the soft ones (200 and 500) are in docs/contributing


def sources():
    names = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard', 'src', 'bench', 'tools', 'docs', 'tests', 'examples',
                            'README.md', 'keelson', '.ci'], cwd=ROOT, capture_output=True, text=True).stdout.split('\n')
    return [ROOT / n for n in names if n and (ROOT / n).is_file()]


def check_head(path, text):
    if path.suffix == '.h' and '#pragma once' not in text: yield 1, 'a header starts with #pragma once'
    if path.suffix == '.h' and not text.startswith('//'): yield 1, 'a header opens with what it is for'


def check_world(path, text):
    place = str(path.relative_to(ROOT / 'src')) if path.is_relative_to(ROOT / 'src') else None
    if place is None or place.startswith(OUTSIDE_FREE) or path.name.endswith('_test.cc'): return
    for number, line in enumerate(text.split('\n'), 1):
        if OUTSIDE.search(line.split('//')[0]): yield number, 'real time, chance and threads live in host/linux'


def check_length(path, text):
    lines = text.count('\n')
    if path.is_relative_to(ROOT / 'src') and lines > LIMITS[path.suffix]: yield lines, f'{lines} lines: split the file'
    # Tables in text form have the lines that their content needs.
    if path.stem.endswith('_content'): return
    for number, line in enumerate(text.split('\n'), 1):
        if len(line) > 140: yield number, f'{len(line)} columns'


def check_words(path, text):
    for number, line in enumerate(text.split('\n'), 1):
        if re.search(r'\b(TODO|FIXME|XXX|HACK)\b', line): yield number, 'an open end belongs into docs or an issue'


def check_order(path, text):
    for number, line in enumerate(text.split('\n'), 1):
        # What is only looked up, never walked, may be ordered by anything: its line says so.
        if re.search(r'std::(map|set)<[^<>,]*\*\s*[,>]', line) and 'never walked' not in line:
            yield number, 'a map ordered by addresses is not deterministic'
        if re.match(r'using namespace', line): yield number, 'no using namespace'


def main():
    faults = []
    for path in sources():
        checks = [check_words] if path.name != 'tidy.py' and path.suffix not in ('.json', '.md') else []
        if path.suffix in CODE: checks += [check_head, check_world, check_length, check_order]
        if not checks: continue
        text = path.read_text(errors='replace')
        for check in checks:
            faults += [f'{path.relative_to(ROOT)}:{number}: {what}' for number, what in check(path, text)]
    print('\n'.join(faults) if faults else 'tidy: clean')
    return 1 if faults else 0


sys.exit(main())
