// Kubernetes objects for the net room's tests, in few words.
#pragma once

#include <string>
#include <vector>

#include "codec/json.h"
#include "codec/value.h"

namespace keelson::net {

inline codec::Value json(const std::string& text) {
  auto parsed = codec::parse_json(text);
  return parsed.ok() ? *parsed : codec::Value();
}

// spec is the inside of the object: R"("clusterIP":"10.96.0.20","ports":[...])".
inline codec::Value service(const std::string& ns, const std::string& name,
                            const std::string& spec) {
  return json(R"({"metadata":{"namespace":")" + ns + R"(","name":")" + name + R"("},"spec":{)" +
              spec + "}}");
}

struct TestEndpoint {
  std::string address;
  std::string hostname = {};
  bool ready = true, serving = true, terminating = false;
};

inline codec::Value slice(const std::string& ns, const std::string& of, const std::string& ports,
                          const std::vector<TestEndpoint>& endpoints) {
  codec::Value out = json(R"({"metadata":{"namespace":")" + ns + R"(","name":")" + of +
                          R"(-1","labels":{"kubernetes.io/service-name":")" + of +
                          R"("}},"addressType":"IPv4","ports":)" + ports + R"(,"endpoints":[]})");
  for (const TestEndpoint& endpoint : endpoints) {
    codec::Value one = codec::Value::object(
        {{"addresses", codec::Value::array({codec::Value(endpoint.address)})},
         {"conditions", codec::Value::object({{"ready", endpoint.ready},
                                              {"serving", endpoint.serving},
                                              {"terminating", endpoint.terminating}})}});
    if (!endpoint.hostname.empty()) one.set("hostname", endpoint.hostname);
    out.edit("endpoints").push_back(std::move(one));
  }
  return out;
}

}  // namespace keelson::net
