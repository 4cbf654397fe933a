#include "registry/crds/definitions.h"

#include "base/check.h"
#include "codec/yaml.h"

namespace keelson::registry {

namespace {

// The Platform schema keeps unknown fields: targets and stand-ins grow with what acts on them.
constexpr const char* kDefinitions[] = {R"(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: platforms.keelson.dev}
spec:
  group: keelson.dev
  scope: Cluster
  names: {plural: platforms, singular: platform, kind: Platform, listKind: PlatformList, categories: [keelson]}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Nodes, type: integer, jsonPath: .status.nodes}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            x-kubernetes-preserve-unknown-fields: true
            properties:
              scale:
                type: object
                x-kubernetes-preserve-unknown-fields: true
                properties:
                  cpu: {type: integer, minimum: 1}
                  memory: {type: integer, minimum: 1}
              regions:
                type: array
                items:
                  type: object
                  x-kubernetes-preserve-unknown-fields: true
                  required: [name]
                  properties:
                    name: {type: string}
                    zones: {type: array, items: {type: string}}
              pools:
                type: array
                items:
                  type: object
                  x-kubernetes-preserve-unknown-fields: true
                  required: [name]
                  properties:
                    name: {type: string}
                    instanceType: {type: string}
                    min: {type: integer, minimum: 0}
                    max: {type: integer, minimum: 0}
                    labels: {type: object, additionalProperties: {type: string}}
                    pricePerHour: {type: string}
          status:
            type: object
            x-kubernetes-preserve-unknown-fields: true
)"};

}  // namespace

std::vector<codec::Value> shipped_definitions() {
  std::vector<codec::Value> out;
  for (const char* text : kDefinitions) {
    auto parsed = codec::parse_yaml(text);
    KEELSON_CHECK(parsed.ok());
    out.push_back(std::move(parsed->value));
  }
  return out;
}

}  // namespace keelson::registry
