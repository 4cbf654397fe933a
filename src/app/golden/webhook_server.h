// The HTTPS server that recordings with "needs": "webhook" were made with. It answers a POST of an
// AdmissionReview by its path; every answer carries the request's uid:
//
//   /allow; /deny (status.message "no, said the test"); /deny-silent (no status); /deny-code (422
//   Invalid "bad shape" with one cause); /deny-500 ("inner trouble"); /warn (warnings, one of them
//   quoted, one empty); /audit (auditAnnotations); /echo (denied; the message is the request as
//   JSON without uid, of objects only their member names); /label and /validating-patch (label
//   hooked=yes); /count (annotation count, one more than before); /second (label second=yes);
//   /kind, /rename (replace); /badpatch, /missing, /patchtype, /nopatchtype, /invalid (faulty
//   patches); /wronguid, /v1beta1, /noresponse (faulty reviews); /empty, /text, /500, /404, /302
//   (no reviews); /slow (allowed after 3 seconds)
//
// and a POST of a ConversionReview: /convert (the desired apiVersion, and spec.via "FROM->TO"),
// /convert-fail, /convert-short (one object fewer), /convert-name, /convert-label.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::app {

class WebhookServer {
 public:
  // On a free port of 127.0.0.1, with a certificate of its own.
  static Result<std::unique_ptr<WebhookServer>> start();
  ~WebhookServer();
  // What "${webhook}" and "${webhookCA}" stand for.
  const std::map<std::string, std::string>& variables() const;

 private:
  struct State;
  explicit WebhookServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct WebhookAnswer {
  int code = 200;
  std::string body;
};
// What the server answers, without waiting.
WebhookAnswer webhook_answer(const std::string& path, const codec::Value& review);

}  // namespace keelson::app
