// Images: what a container runs. Either an image of the local store, or a stand-in that a rule of
// the Platform object declares, or a reason why there is none.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "codec/value.h"
#include "node/pod_machine.h"

namespace keelson::node {

struct Image {
  enum class Kind : std::uint8_t { stored, builtin_stand_in, program_stand_in };
  Kind kind = Kind::stored;
  std::string name;    // "docker.io/library/nginx:1.25", as the status shows it
  std::string id;      // imageID
  std::string rootfs;  // directory of the unpacked image (stored)
  std::vector<std::string> environment, entrypoint, command;  // of the image's configuration
  std::string working_directory, user;
  int stop_signal = 0;  // 0: SIGTERM
  Value model;          // builtin_stand_in: the declared model
  std::string rule;     // stand-ins: the glob that matched
};

class Images {
 public:
  virtual ~Images() = default;
  // Calls `done` once, at once or later.
  using OnImage = std::function<void(ImageOutcome, Image)>;
  virtual void ensure(const Value& pod, const Value& container, OnImage done) = 0;
};

}  // namespace keelson::node
