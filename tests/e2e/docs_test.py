#!/usr/bin/env python3
"""What the documents show is true: their scenarios hold, and every command that they name is one."""
import pathlib, re, shutil, subprocess, tempfile, unittest
import engine as e2e

DOCUMENTS = ['README.md', 'docs/scenarios.md', 'examples/mrm/README.md']


def blocks(document):
    """The indented blocks of a document, without their indentation."""
    text = (e2e.ROOT / document).read_text()
    for block in re.findall(r'(?:^    .*\n|^\n)+', text, re.M):
        yield re.sub(r'^    ', '', block, flags=re.M).strip('\n') + '\n'


class Docs(unittest.TestCase):
    def test_scenarios_hold(self):
        with tempfile.TemporaryDirectory() as directory:
            manifests = pathlib.Path(directory) / 'manifests'
            shutil.copytree(e2e.ROOT / 'tests/scenarios/manifests', manifests)
            count = 0
            for document in DOCUMENTS:
                for block in blocks(document):
                    if 'scenario ' not in block or '\nthen\n' not in block: continue
                    block = re.search(r'^scenario .*?(?=^\./keelson|\Z)', block, re.M | re.S).group()
                    place = manifests / f'{count}.scenario'
                    place.write_text(block)
                    done = subprocess.run([e2e.BINARY, 'simulate', str(place)], capture_output=True, text=True)
                    self.assertEqual(done.returncode, 0, f'{document}:\n{block}\n{done.stdout}{done.stderr}')
                    count += 1
            self.assertEqual(count, 2)

    def test_commands_exist(self):
        words = set()
        for document in DOCUMENTS:
            words |= set(re.findall(r'^(?:\./)?keelson ((?:image |test golden)?[a-z]*)', '\n'.join(blocks(document)), re.M))
        self.assertLessEqual({'up', 'load', 'simulate', 'test golden', 'image load'}, words)
        for command in words - {'test'}:                     # without more words a matter of the script
            done = subprocess.run([e2e.BINARY, 'help', *command.split()], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, command + done.stderr)

    def test_files_exist(self):
        for document in DOCUMENTS:
            text = re.sub(r'<!--.*?-->', '', (e2e.ROOT / document).read_text(), flags=re.S)
            for path in re.findall(r'\b((?:tests|examples|docs|bench)/[\w./-]*\w)', text):
                self.assertTrue((e2e.ROOT / path).exists() or (e2e.ROOT / document).parent.joinpath(path).exists(),
                                f'{document} names {path}')


if __name__ == '__main__': e2e.main()
