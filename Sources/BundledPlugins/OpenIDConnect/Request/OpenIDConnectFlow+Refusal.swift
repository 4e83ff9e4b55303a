import EntityModel
import NIOCore
import PluginKit

/// Answers in place of the upstream. Source: Kong fact, bundled-16 §5 "Refusals".
extension OpenIDConnectFlow {
  /// - Parameter isInvalidToken: whether the client has shown a credential, which then is not good (RFC 6750 §3.1).
  func answerUnauthorized(_ reason: String?, isInvalidToken: Bool = false) {
    if standIn() { return }
    let refusals = settings.refusals
    if hasSessionCookie, refusals.unauthorizedEndsSession { endSession() }
    if let target = redirect(refusals.unauthorizedRedirects) { return redirect(to: target) }
    answer(
      401, refusals.unauthorizedMessage, reason, challenge: challenge(isInvalidToken ? "invalid_token" : nil, reason))
  }

  func answerForbidden(_ reason: String) {
    if standIn() { return }
    let refusals = settings.refusals
    if hasSessionCookie, refusals.forbiddenEndsSession { endSession() }
    if let target = redirect(refusals.forbiddenRedirects) { return redirect(to: target) }
    answer(403, refusals.forbiddenMessage, reason, challenge: challenge("insufficient_scope", reason))
  }

  /// The provider cannot be asked, which is no fault of the client.
  func answerUnexpected(_ failure: ProviderFailure) {
    log(failure)
    if let target = redirect(settings.refusals.unexpectedRedirects) { return redirect(to: target) }
    answer(500, "An unexpected error occurred", failure.reason)
  }

  func log(_ failure: ProviderFailure) { executor.logger.error("openid-connect: \(failure.reason)") }

  private func redirect(_ targets: [String]) -> String? { ProviderClient.element(targets, client?.index ?? 0) }

  private func challenge(_ error: String?, _ reason: String?) -> String {
    var challenge = "Bearer realm=\"\(settings.realm)\""
    guard settings.refusals.exposesErrorCode, let error else { return challenge }
    challenge += ", error=\"\(error)\""
    if settings.refusals.displaysErrors, let reason {
      challenge += ", error_description=\"\(reason.filter { $0 != "\"" && $0 != "\\" && $0.isASCII })\""
    }
    return challenge
  }

  /// Lets the anonymous consumer stand in; false if none is configured.
  private func standIn() -> Bool {
    guard let name = settings.anonymous else { return false }
    guard let consumer = executor.consumers.consumer(idOrUsername: name) else {
      context.refuse(500, "anonymous consumer \(name) is configured but doesn't exist")
      finish()
      return true
    }
    context.credential = nil
    become(consumer)
    for header in settings.upstream.names where header.lowercased() != "authorization" {
      context.requestHeaders.remove(header)
    }
    context.requestHeaders.remove("X-Credential-Identifier")
    context.requestHeaders.set("X-Anonymous-Consumer", "true")
    finish()
    return true
  }

  // MARK: Answers

  func answer(_ status: Int, _ message: String, _ reason: String? = nil, challenge: String? = nil) {
    if let reason { executor.logger.debug("openid-connect: \(status): \(reason)") }
    let text = settings.refusals.displaysErrors ? reason.map { "\(message) (\($0))" } ?? message : message
    answer(
      status, json: ["message": .string(text)],
      headers: challenge.map { [(name: "WWW-Authenticate", value: $0)] } ?? [])
  }

  func answer(_ status: Int, json: JSONValue, headers: [(name: String, value: String)] = []) {
    context.earlyResponse = EarlyResponse(
      status: status, body: ByteBuffer(bytes: json.serialized()),
      headers: [
        (name: "Content-Type", value: "application/json; charset=utf-8"), (name: "Cache-Control", value: "no-store"),
      ] + headers)
    finish()
  }

  func redirect(to url: String) {
    context.earlyResponse = EarlyResponse(
      status: 302, headers: [(name: "Location", value: url), (name: "Cache-Control", value: "no-store")])
    finish()
  }
}
