// The built-in stand-in: a program that behaves like the workload whose image cannot be had, by a
// declared model. It listens on the container's ports (HTTP; the well-known ports of databases and
// queues accept connections and echo), answers probes, serves /metrics, burns CPU and memory per
// request, fails and delays as declared, and ends gracefully on SIGTERM. Without ports it is a
// worker that burns its base CPU.
//
// One thread, epoll, no libraries. The model can be replaced while it runs: by SIGHUP after the
// model file was changed, or by
//   POST /_keelson/model   {"cpuPerRequest":"60ms","latency":"15ms",...}
#pragma once

namespace keelson::node {

// stand-in --model JSON | --model-file PATH [--port HTTP_PORT]... [--tcp PORT]... [--probe PATH]...
//          [--address A] [--cpu-scale N] [--memory-scale N]
int stand_in_main(int argc, char** argv);

}  // namespace keelson::node
