// What `keelson status` and the end of `keelson up` show: one value collected from the API, printed
// as tables or JSON.
#pragma once

#include "app/client.h"
#include "app/instance.h"
#include "base/result.h"
#include "codec/value.h"

namespace keelson::app {

// {"engine": {...}, "nodes": [...], "workloads": [{kind, namespace, name, ready, wanted, well,
// reason}],
//  "addresses": [{namespace, name, kind, address, leadsTo}], "notWell": [{object, reason}],
//  "standIns": [{image, by, pods}], "notActedOn": [{kind, count}], "well": bool}
Result<codec::Value> collect_status(Client& client, const Instance& instance);

void print_status(const codec::Value& status);

}  // namespace keelson::app
