// keelson serve: the engine in the foreground, until SIGTERM or SIGINT.
#include <arpa/inet.h>
#include <signal.h>

#include <cstdio>

#include "app/commands.h"
#include "app/engine.h"
#include "app/instance.h"
#include "app/log_lines.h"
#include "base/text.h"
#include "host/linux/linux_host.h"

namespace keelson::app {
namespace {

int fail(const std::string& message) {
  std::fprintf(stderr, "keelson: %s\n", message.c_str());
  return 1;
}

// "ADDR:PORT", "ADDR" or ":PORT".
bool parse_listen(const std::string& text, EngineOptions& options) {
  if (text.empty()) return true;
  const std::size_t colon = text.rfind(':');
  const std::string address = text.substr(0, colon);
  if (!address.empty()) options.address = address;
  in6_addr any{};  // room for both kinds; names are none: certificates are made for addresses
  if (inet_pton(AF_INET, options.address.c_str(), &any) != 1 &&
      inet_pton(AF_INET6, options.address.c_str(), &any) != 1)
    return false;
  if (colon == std::string::npos) return true;
  const auto port = parse_int(text.substr(colon + 1));
  if (!port || *port < 0 || *port > 65535) return false;
  options.port = static_cast<int>(*port);
  return true;
}

}  // namespace

int command_serve(const ServeOptions& options) {
  auto instance = find_instance(options.common.name, options.data);
  if (!instance.ok()) return fail(instance.error().message);
  EngineOptions engine_options{
      .name = instance->name, .directory = instance->directory, .only = {}, .files = options.files};
  if (!parse_listen(options.listen, engine_options))
    return fail("--listen \"" + options.listen + "\": write ADDR:PORT, as in 127.0.0.1:6443");
  if (options.controllers == "none")
    engine_options.controllers = false;
  else if (options.controllers != "all")
    engine_options.only = split(options.controllers, ',');
  auto lock = InstanceLock::acquire(*instance);
  if (!lock.ok()) return fail(lock.error().message);

  stamp_log_lines(instance->log());
  host::LinuxLoop loop;
  std::unique_ptr<Engine> engine;
  bool stopping = false;
  const auto signals = host::watch_signals(loop, {SIGTERM, SIGINT}, [&](int) {
    if (stopping || !engine) return loop.stop();  // a second signal does not wait
    stopping = true;
    engine->stop([&] { loop.stop(); });
  });
  auto started = Engine::start(loop, engine_options);
  if (!started.ok()) return fail(started.error().message);
  engine = std::move(*started);
  const std::string kubeconfig = engine->kubeconfig(instance->context());
  for (const std::string& path : {instance->kubeconfig(), options.kubeconfig})
    if (!path.empty())
      if (const auto written = write_secret_file(path, kubeconfig); !written.ok())
        return fail(written.error().message);
  announce_ready();
  std::fprintf(stderr, "engine %s serves Kubernetes at %s\n", instance->name.c_str(),
               engine->server().c_str());
  loop.run();
  engine.reset();
  return 0;
}

}  // namespace keelson::app
