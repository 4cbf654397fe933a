// One function per command of `keelson`; each returns the exit code. Options are plain data that
// the command line fills.
#pragma once

#include <string>
#include <vector>

#include "app/engine.h"
#include "app/load.h"
#include "base/time.h"

namespace keelson::app {

struct CommonOptions {
  std::string name = "default";
  bool json = false;
};

struct ServeOptions {
  CommonOptions common;
  std::string data = {};    // directory; empty: the usual place of the name
  std::string listen = {};  // ADDR:PORT; empty: the one used before, else a free port on 127.0.0.1
  std::string kubeconfig = {};      // written when ready, besides the one in the data directory
  std::string controllers = "all";  // "all", "none", or names separated by commas
  ApiFiles files = {};
};

struct UpOptions {
  CommonOptions common;
  std::vector<std::string> paths;
  Duration timeout = Duration::minutes(5);
  std::string listen = {};
  std::vector<std::string> api_options = {};  // for the engine's API server, as `serve` takes them
  bool wait = true;
};

struct LogsOptions {
  CommonOptions common;
  std::string target;  // "[NAMESPACE/]POD" or "[NAMESPACE/]KIND/NAME"; empty: the engine's own log
  std::string container = {};
  bool follow = false;
  bool previous = false;  // the container before the last restart
  int tail = -1;
};

struct ImageOptions {
  CommonOptions common;
  std::vector<std::string> names;  // files to load, or images to remove
  std::string as = {};             // the name to load under, instead of the archive's
};

struct SimulateOptions {
  std::string scenario;
  unsigned long seed = 0;
  bool seed_given = false;
  bool json = false;
  bool update = false;  // writes the trace under ---- anew
  bool verbose = false;
};

struct GoldenOptions {
  std::vector<std::string> paths;
  std::string floors = {};
  std::string only = {};
  std::string kubeconfig = {};
  int show = 10;
};

int command_serve(const ServeOptions& options);
int command_up(const UpOptions& options);
int command_status(const CommonOptions& options);
int command_down(const CommonOptions& options);
int command_delete(const CommonOptions& options, bool force);
int command_logs(const LogsOptions& options);
int command_kubeconfig(const CommonOptions& options);
int command_load(const LoadOptions& options);
int command_image_load(const ImageOptions& options);
int command_image_list(const ImageOptions& options);
int command_image_remove(const ImageOptions& options);
int command_version(const CommonOptions& options);
int command_simulate(const SimulateOptions& options);
int command_test_golden(const GoldenOptions& options);

}  // namespace keelson::app
