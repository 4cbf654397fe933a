// One accepted connection: reads requests, hands them to the handler, writes answers. Two kinds,
// HTTP/1.1 and HTTP/2, behind one small interface; internal to the HTTP server.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/http/http.h"
#include "base/time.h"
#include "host/loop.h"
#include "host/sockets.h"

namespace keelson::api {

struct ConnectionContext {
  host::Loop& loop;
  const HttpLimits& limits;
  const Handler& handler;
  std::shared_ptr<const ClientCertificate> certificate;
  // The connection is over and may be dropped; called once, never from within a constructor.
  std::function<void()> on_closed;
};

class Connection {
 public:
  virtual ~Connection() = default;
  // Since when nothing is going on; nullopt while a request is being answered.
  virtual std::optional<Instant> idle_since() const = 0;
  // Ends requests that began before this time and have not arrived whole. False: this needs the end
  // of the connection.
  virtual bool end_arriving(Instant before) = 0;
  // Answers what has arrived, then closes.
  virtual void drain() = 0;
};

std::shared_ptr<Connection> make_http1_connection(ConnectionContext context,
                                                  std::unique_ptr<host::Stream> stream);
std::shared_ptr<Connection> make_http2_connection(ConnectionContext context,
                                                  std::unique_ptr<host::Stream> stream);

}  // namespace keelson::api
