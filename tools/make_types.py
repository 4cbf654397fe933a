#!/usr/bin/env python3
"""Writes src/model/types/*.types from Kubernetes' published API data. It was run once; the tables are maintained by hand
since. Kept so that a new Kubernetes version can be compared with them.

    make_types.py KUBERNETES_SOURCE OPENAPI_V2.json DISCOVERY_FOLDER OUTPUT_FOLDER

Field order, protobuf numbers, pointers and "omitempty" come from the struct tags of the published Go API packages; list
types, keys, merge keys and enumerations from OpenAPI; resources from discovery. No descriptions are copied."""
import base64, glob, hashlib, json, os, re, sys

SOURCE, OPENAPI, DISCOVERY, OUT = sys.argv[1:5]
STAGING = os.path.join(SOURCE, 'staging/src/k8s.io')
META = 'io.k8s.apimachinery.pkg.apis.meta.v1'
# alias in the tables -> (OpenAPI package, folder, group, version)
PACKAGES = {
    'meta': (META, 'apimachinery/pkg/apis/meta/v1', None, None),
    'core': ('io.k8s.api.core.v1', 'api/core/v1', '', 'v1'),
    'apiextensions': ('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1', 'apiextensions-apiserver/pkg/apis/apiextensions/v1', 'apiextensions.k8s.io', 'v1'),
    'apiregistration': ('io.k8s.kube-aggregator.pkg.apis.apiregistration.v1', 'kube-aggregator/pkg/apis/apiregistration/v1', 'apiregistration.k8s.io', 'v1'),
}
for name, group, version in [
        ('admissionregistration', 'admissionregistration.k8s.io', 'v1'), ('apps', 'apps', 'v1'), ('authentication', 'authentication.k8s.io', 'v1'),
        ('authorization', 'authorization.k8s.io', 'v1'), ('autoscaling', 'autoscaling', 'v1'), ('autoscaling', 'autoscaling', 'v2'), ('batch', 'batch', 'v1'),
        ('certificates', 'certificates.k8s.io', 'v1'), ('coordination', 'coordination.k8s.io', 'v1'), ('discovery', 'discovery.k8s.io', 'v1'),
        ('events', 'events.k8s.io', 'v1'), ('flowcontrol', 'flowcontrol.apiserver.k8s.io', 'v1'), ('networking', 'networking.k8s.io', 'v1'),
        ('node', 'node.k8s.io', 'v1'), ('policy', 'policy', 'v1'), ('rbac', 'rbac.authorization.k8s.io', 'v1'), ('resource', 'resource.k8s.io', 'v1'),
        ('scheduling', 'scheduling.k8s.io', 'v1'), ('storage', 'storage.k8s.io', 'v1')]:
    PACKAGES[name if version == 'v1' else name + version] = (f'io.k8s.api.{name}.{version}', f'api/{name}/{version}', group, version)

DEFINITIONS = json.load(open(OPENAPI))['definitions']
SCALARS = {'string': 'string', 'bool': 'bool', 'int32': 'int32', 'int64': 'int64', 'int': 'int64', 'float64': 'float64', '[]byte': 'bytes', 'byte': 'byte',
           'resource.Quantity': 'quantity', 'intstr.IntOrString': 'intorstring', 'runtime.RawExtension': 'any', 'metav1.Time': 'time', 'metav1.MicroTime': 'microtime',
           'metav1.Duration': 'duration', 'JSON': 'any', 'JSONSchemaPropsOrArray': 'any', 'JSONSchemaPropsOrBool': 'any', 'JSONSchemaPropsOrStringArray': 'any',
           'FieldsV1': 'any', 'metav1.FieldsV1': 'any', 'Time': 'time', 'MicroTime': 'microtime', 'Duration': 'duration', 'types.UID': 'meta.UID', 'types.NodeName': 'string'}
STRUCT_SCALARS = {'quantity', 'intorstring', 'time', 'microtime', 'duration', 'any'}


def parse(folder):
    """Structs {name: [(go name or None if embedded, go type, tag)]} and other named types {name: go type} of a Go package."""
    structs, named = {}, {}
    for path in sorted(glob.glob(os.path.join(STAGING, folder, '*.go'))):
        if re.search(r'_test\.go$|zz_generated|generated\.pb|/(conversion|defaults|helpers|register)\.go$', path): continue
        current = None
        for line in open(path):
            line = line.rstrip('\n')
            if current is None:
                m = re.match(r'type (\w+) struct \{$', line)
                if m: current = structs.setdefault(m.group(1), [])
                elif re.match(r'type \w+ struct\s*\{\}', line): structs[line.split()[1]] = []
                else:
                    m = re.match(r'type (\w+) (string|int32|int64|\[\]\S+|map\[\S+\]\S+)\s*(//.*)?$', line)
                    if m: named[m.group(1)] = m.group(2)
                continue
            if line == '}': current = None; continue
            m = re.match(r'\t(\w+)\s+(\S+)\s+`(.*)`', line)
            if m: current.append(m.groups()); continue
            m = re.match(r'\t([*\w.]+)\s+`(.*)`', line)
            if m: current.append((None, m.group(1), m.group(2)))
    return structs, named


PARSED = {alias: parse(p[1]) for alias, p in PACKAGES.items()}
IMPORTS = {'apiv1': 'core', 'k8s': 'core', 'v1': 'core', 'core': 'core', 'corev1': 'core', 'api': 'core', 'metav1': 'meta', 'authenticationv1': 'authentication', 'rbac': 'rbac', 'admissionregistrationv1': 'admissionregistration'}


class Writer:
    def __init__(self, alias):
        self.alias, (self.package, self.folder, self.group, self.version) = alias, PACKAGES[alias]
        self.structs, self.named = PARSED[alias]
        self.uses, self.needed = set(), []

    def lookup(self, go):
        """alias, local name of a named Go type."""
        if '.' in go:
            prefix, name = go.split('.')
            return IMPORTS[prefix], name
        return self.alias, go

    def type(self, go):
        """The table's text for a Go type, and whether Go treats its value as a struct."""
        if go in SCALARS: 
            text = SCALARS[go]
            return (self.qualified(*text.split('.')), False) if '.' in text else (text, text in STRUCT_SCALARS)
        if go.startswith('*'): return self.type(go[1:])
        if go.startswith('[]'): return '[]' + self.type(go[2:])[0], False
        m = re.match(r'map\[([\w.]+)\](.*)', go)
        if m: return 'map ' .strip() + '{}' + self.type(m.group(2))[0], False
        alias, name = self.lookup(go)
        structs, named = PARSED[alias]
        if name in structs: return self.qualified(alias, name), True
        if name in named: return self.qualified(alias, name), False
        raise SystemExit(f'{self.alias}: unknown type {go}')

    def qualified(self, alias, name):
        NEEDED.add((alias, name))
        if alias == self.alias: return name
        self.uses.add(alias)
        return f'{alias}.{name}'

    def fields(self, name, schema, number=None, embedded=''):
        """Yields lines of a struct's fields; embedded structs are flattened as JSON does."""
        for go_name, go_type, tag in self.structs[name] if isinstance(name, str) else name[0].structs[name[1]]:
            tags = dict(re.findall(r'(\w+):"([^"]*)"', tag))
            parts = tags.get('json', '').split(',')
            proto = re.match(r'(\w+),(\d+)', tags.get('protobuf', ''))
            json_name = parts[0]
            if json_name == '-': continue
            if go_type.endswith('TypeMeta') and json_name == '': continue
            if json_name == '':
                alias, inner = self.lookup(go_type.lstrip('*'))
                yield from self.fields((Writer(alias), inner) if alias != self.alias else inner, schema, f'{number or ""}.{proto.group(2)}'.lstrip('.') if proto else number, f'{embedded}.{inner}'.lstrip('.'))
                continue
            prop = schema.get('properties', {}).get(json_name)
            if prop is None: continue   # not served
            text, is_struct = self.type(go_type)
            pointer = go_type.startswith('*')
            omit_empty, omit_zero = 'omitempty' in parts, 'omitzero' in parts
            line = [json_name, proto.group(2) if proto else '0', ('*' if pointer else '') + text]
            if json_name in schema.get('required', []): line.append('required')
            if not omit_empty and not omit_zero or is_struct and not pointer and not omit_zero: line.append('keep')
            kind = prop.get('x-kubernetes-list-type')
            if kind == 'set': line.append('set')
            if kind == 'map': line.append('keys=' + ','.join(prop['x-kubernetes-list-map-keys']))
            if prop.get('x-kubernetes-map-type') == 'atomic' or kind == 'atomic': line.append('atomic')
            strategy = prop.get('x-kubernetes-patch-strategy', '').split(',')
            key = prop.get('x-kubernetes-patch-merge-key')
            if key: line.append('merge=' + key)
            elif 'merge' in strategy: line.append('merge')
            if 'retainKeys' in strategy: line.append('retain')
            if 'string' in parts: line.append('quoted')
            if number: line.append(f'in={number}')
            if embedded: line.append(f'embedded={embedded}')
            yield '  ' + ' '.join(line)

    def write_type(self, name):
        schema = DEFINITIONS.get(f'{self.package}.{name}')
        if schema is None: return None
        head = f'type {name}'
        if any(t.endswith('TypeMeta') for _, t, _ in self.structs[name]): head += ' kind'
        if schema.get('x-kubernetes-map-type') == 'atomic': head += ' atomic'
        return '\n'.join([head, *self.fields(name, schema)])

    def enumeration(self, name):
        """Values of a named string, from any field that uses it."""
        for alias, p in PACKAGES.items():
            for struct, fields in PARSED[alias][0].items():
                schema = DEFINITIONS.get(f'{p[0]}.{struct}', {})
                for _, go_type, tag in fields:
                    m = re.search(r'json:"([^",]+)', tag)
                    bare = re.sub(r'^(\*|\[\])+', '', go_type)
                    if m and bare.split('.')[-1] == name and (alias == self.alias if '.' not in bare else IMPORTS.get(bare.split('.')[0]) == self.alias):
                        prop = schema.get('properties', {}).get(m.group(1), {})
                        values = prop.get('enum') or prop.get('items', {}).get('enum')
                        if values: return values
        return []


NEEDED = set()


def hash_of(group, version, kind): return base64.b64encode(hashlib.sha256(f'{group}/{version}/{kind}'.encode()).digest()[:8]).decode()


def resources(group, version):
    plain = json.load(open(os.path.join(DISCOVERY, f'api__{version}.json' if group == '' else f'apis__{group}__{version}.json')))
    lines, main = [], {}
    for r in plain['resources']:
        if '/' in r['name']: continue
        line = ['resource', r['name'], r['kind'], 'singular=' + r['singularName']]
        if r.get('shortNames'): line.append('short=' + ','.join(r['shortNames']))
        if r.get('categories'): line.append('categories=' + ','.join(r['categories']))
        if r['namespaced']: line.append('namespaced')
        verbs = ','.join(r['verbs'])
        line.append('verbs=' + ('all' if verbs == 'create,delete,deletecollection,get,list,patch,update,watch' else verbs))
        if r.get('storageVersionHash'):
            storage = next((v for v in ('v1', 'v2', 'v1beta1') if hash_of(group, v, r['kind']) == r['storageVersionHash']), None)
            if storage == version: line.append('storage')
            elif storage is None: line.append('alias=' + r['name'])
            line.append('hash=' + r['storageVersionHash'])
        lines.append(' '.join(line))
        for s in plain['resources']:
            if s['name'].startswith(r['name'] + '/'):
                gvk = f"{s.get('group', group)}/{s.get('version', version)}/{s['kind']}"
                own = f"{group}/{version}/{r['kind']}"
                lines.append('  ' + ' '.join([s['name'].split('/')[1], 'self' if gvk == own else gvk, ','.join(s['verbs'])]))
    return lines


def main():
    writers, bodies = {a: Writer(a) for a in PACKAGES}, {}
    for alias, w in writers.items():
        blocks = []
        for name in w.structs:
            if name.endswith('List') and any(j == 'Items' for j, _, _ in w.structs[name]): continue
            if name in SCALARS or alias == 'meta' and name in ('Time', 'MicroTime', 'Duration', 'FieldsV1'): continue
            block = w.write_type(name)
            if block: blocks.append(block)
        bodies[alias] = blocks
    written = {f'{w.package}.{b.split()[1]}': b for a, w in writers.items() for b in bodies[a]}
    for name, schema in DEFINITIONS.items():
        properties = set(schema.get('properties', {})) - {'kind', 'apiVersion'}
        missing = properties - {l.split()[0] for l in written.get(name, '').split('\n')[1:]}
        if missing and not ('items' in properties and name.endswith('List')): print('not in the tables:', name, sorted(missing))
    for alias, w in writers.items():
        named = []
        for name, go in sorted(w.named.items()):
            if (alias, name) not in NEEDED or name in SCALARS: continue
            values = w.enumeration(name) if go == 'string' else []
            named.append(' '.join(['define', name, w.type(go)[0], *(json.dumps(v) if not v or ' ' in v else v for v in values)]))
        if alias == 'meta': named.insert(0, 'define UID string')
        head = [f'package {w.package}', *(f'use {u} {PACKAGES[u][0]}' for u in sorted(w.uses))]
        if w.group is not None: head += [f'group {w.group or "core"} {w.version}', '', *resources(w.group, w.version)]
        text = '\n'.join(head) + '\n\n' + ('\n'.join(named) + '\n\n' if named else '') + '\n\n'.join(bodies[alias]) + '\n'
        stem = 'meta-v1' if alias == 'meta' else f"{w.group.split('.')[0] or 'core'}-{w.version}"
        open(os.path.join(OUT, stem + '.types'), 'w').write(text)


main()
