// Fuzzing without an outside tool: a target reads bytes that nobody meant well, and a driver
// changes the corpus at random, with one seed the same way every time. See tests/fuzz/README.md.
#pragma once

#include <string_view>
#include <vector>

namespace keelson::fuzz {

struct Target {
  std::string_view name;
  // Must neither crash, hang nor lie; what it claims it checks with expect().
  void (*run)(std::string_view input);
  // What the format's own words are, for the driver to insert.
  std::vector<std::string_view> words = {};
};

std::vector<Target> text_targets();        // JSON, YAML, patches, selectors, quantities, CEL
std::vector<Target> protobuf_targets();    // objects of several kinds
std::vector<Target> connection_targets();  // HTTP/1, HTTP/2, WebSocket, SPDY

// Ends the program if `holds` is false; the driver then keeps the input.
void expect(bool holds, const char* claim);

}  // namespace keelson::fuzz
