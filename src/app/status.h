// What `keelson status` and the end of `keelson up` show: one value collected from the API, printed
// as tables or JSON.
#pragma once

#include "app/client.h"
#include "app/instance.h"
#include "base/result.h"
#include "codec/value.h"

namespace keelson::app {

// {"engine": {name, context, process, server, kubernetes, directory, losses: [line]},
//  "nodes": [{pool, ready, total}], "platforms": [{name, scale}], "pods": {total, ready},
//  "workloads": [{kind, namespace, name, ready, wanted, well, reason}],
//  "addresses": [{namespace, name, kind, address}], "notWell": [{object, reason}],
//  "standIns": [{image, by, pods}], "notActedOn": [{kind, group, count}], "well": bool}
// The engine's own problems stand in notWell; its losses (engine_report.h) do not.
// All but notActedOn, which costs a request per kind and does not decide whether all is well.
Result<codec::Value> collect_status(Client& client, const Instance& instance);
Result<void> add_not_acted_on(Client& client, codec::Value& status);

void print_status(const codec::Value& status);

}  // namespace keelson::app
