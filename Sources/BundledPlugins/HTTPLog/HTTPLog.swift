import EntityModel
import NIOCore
import PluginKit

/// `http-log`: sends the log entries of requests to an HTTP server. Source: Kong fact, bundled-16 §15 and §16.
enum HTTPLog {
  static let definition = PluginDefinition.bundled(schema, phases: [.log], Implementation())

  static let schema = PluginSchema(
    "http-log", protocols: PluginFields.protocolsAny(), without: [PluginScope.consumerGroup],
    config: PluginFields.config([
      "http_endpoint": CommonFields.url.asRequired().asEncrypted().asReferenceable().checked(
        by: .custom("log_endpoint") { value in
          guard let text = value.string else { return nil }
          do throws(HTTPLogEndpoint.Problem) {
            _ = try HTTPLogEndpoint(text)
            return nil
          } catch { return error.reason }
        }
      ).described("URL that entries are sent to; a user and password in it are sent as Basic authentication."),
      "method": .string.defaulting(to: "POST").checked(by: .oneOf(["POST", "PUT", "PATCH"]))
        .described("Method of the requests that carry entries."),
      "content_type": .string.defaulting(to: "application/json").checked(
        by: .oneOf(["application/json", "application/json; charset=utf-8"])
      ).described("Content type of the entries."),
      "timeout": PluginFields.milliseconds(10_000, "Time for one attempt in milliseconds."),
      "keepalive": PluginFields.milliseconds(60_000, "How long an idle connection is kept, in milliseconds."),
      "retry_count": .integer.deprecated(
        Deprecation(
          message: "http-log: config.retry_count no longer works, please use config.queue.max_retry_time instead",
          removalInVersion: "4.0", replacedWith: [["queue", "max_retry_time"]])),
      "queue_size": .integer.deprecated(
        Deprecation(
          message: "http-log: config.queue_size is deprecated, please use config.queue.max_batch_size instead",
          removalInVersion: "4.0", replacedWith: [["queue", "max_batch_size"]])),
      "flush_timeout": .number.deprecated(
        Deprecation(
          message: "http-log: config.flush_timeout is deprecated, please use config.queue.max_coalescing_delay instead",
          removalInVersion: "4.0", replacedWith: [["queue", "max_coalescing_delay"]])),
      "headers": FieldSchema.map(
        FieldSchema.string.checked(by: .matchNone(reservedHeaders), .custom("header_name", ValueChecks.headerName)),
        FieldSchema.string.asReferenceable().checked(by: .custom("header_value", headerValueViolation))
      ).described("Further headers of the requests that carry entries."),
      "ssl_verify": PluginFields.sslVerify("Whether the certificate of an https server is verified."),
      "client_certificate": FieldSchema.foreign("certificates").described(
        "Certificate that is shown to an https server that asks for one."),
      "queue": CommonFields.queue.described("How entries wait, are batched and are retried."),
      "custom_fields_by_lua": PluginFields.customFieldsByLua,
    ]).checked(by: .custom("authorization", authorizationViolation)))

  private static let reservedHeaders: [FieldCheck.PatternRule] = [
    .init(pattern: "^[Hh][Oo][Ss][Tt]$", error: "cannot contain 'Host' header"),
    .init(
      pattern: "^[Cc][Oo][Nn][Tt][Ee][Nn][Tt]%-[Ll][Ee][Nn][Gg][Tt][Hh]$",
      error: "cannot contain 'Content-Length' header"),
    .init(
      pattern: "^[Cc][Oo][Nn][Tt][Ee][Nn][Tt]%-[Tt][Yy][Pp][Ee]$", error: "cannot contain 'Content-Type' header"),
  ]

  private static func headerValueViolation(_ value: JSONValue) -> String? {
    guard let text = value.string, text.utf8.contains(where: { $0 == 0 || $0 == 10 || $0 == 13 }) else { return nil }
    return "header values cannot contain line breaks"
  }

  private static func authorizationViolation(_ config: JSONValue) -> String? {
    guard let text = config["http_endpoint"]?.string, let endpoint = try? HTTPLogEndpoint(text),
      endpoint.authorization != nil,
      config["headers"]?.object?.keys.contains(where: { $0.lowercased() == "authorization" }) == true
    else { return nil }
    return "specifying both an 'Authorization' header and user info in 'http_endpoint' is not allowed"
  }

  struct Implementation: SnapshotAwarePluginImplementation {
    func makeExecutor(
      for instance: PluginInstance, in context: PluginCompileContext
    ) throws(PluginCompileError) -> any PluginExecutor {
      let config = instance.config
      func fault(_ reason: String) -> PluginCompileError {
        PluginCompileError(plugin: instance.pluginName, reason: reason)
      }
      let endpoint: HTTPLogEndpoint
      do {
        endpoint = try HTTPLogEndpoint(config["http_endpoint"]?.string ?? "")
      } catch {
        throw fault("config.http_endpoint: \(error.reason)")
      }
      var tls = OutboundTLS(verifies: config["ssl_verify"]?.bool ?? true)
      if let id = config["client_certificate"]?["id"]?.string {
        guard let identity = context.certificates[id] else {
          throw fault("config.client_certificate: certificate \(id) does not exist")
        }
        tls.clientCertificatePEM = identity.certificate
        tls.clientKeyPEM = identity.key
      }
      var parameters = LogQueueParameters(config["queue"])
      // The older names count where they differ from their older defaults. Source: Kong fact, bundled-16 §15.
      if let size = config["queue_size"]?.integer, size != 1 { parameters.maxBatchSize = Int(max(1, size)) }
      if let delay = config["flush_timeout"]?.double, delay != 2 {
        parameters.maxCoalescingDelay = .seconds(fractional: delay)
      }
      if let count = config["retry_count"]?.integer, count != 10 {
        context.logger.warning(
          "plugin '\(instance.pluginName)': config.retry_count has no effect, use config.queue.max_retry_time")
      }
      return QueuedLogExecutor(
        key: queueKey(instance, config), pluginName: instance.pluginName, parameters: parameters,
        delivery: delivery(endpoint, config, tls, sendsList: parameters.maxBatchSize > 1, context.services),
        customFields: try CustomLogFields(instance, context.services), context: context)
    }

    /// Instances that agree in these share a queue, also one that follows another in a later configuration.
    private func queueKey(_ instance: PluginInstance, _ config: JSONValue) -> String {
      let parts = [
        "http_endpoint", "method", "content_type", "timeout", "keepalive", "retry_count", "queue_size", "flush_timeout",
      ].map { config[$0] ?? .null }
      return instance.pluginName + JSONValue.array(parts).serializedString
    }

    private func delivery(
      _ endpoint: HTTPLogEndpoint, _ config: JSONValue, _ tls: OutboundTLS, sendsList: Bool, _ services: PluginServices
    ) -> LogDelivery {
      let timeout = config.milliseconds("timeout", orElse: 60_000)
      var request = OutboundRequest(
        method: config.text("method") ?? "POST", url: endpoint.url, timeoutMilliseconds: timeout,
        connectTimeoutMilliseconds: timeout,
        // Zero means no limit.
        keepaliveMilliseconds: config.milliseconds("keepalive", orElse: 2_147_483_646),
        maximumResponseSize: 1 << 20, tls: tls)
      request.headers.append(("Content-Type", config.text("content_type") ?? "application/json"))
      if let authorization = endpoint.authorization { request.headers.append(("Authorization", authorization)) }
      let further = config["headers"]?.object ?? [:]
      for name in further.keys.sorted() {
        if let value = further[name]?.string { request.headers.append((name, value)) }
      }
      let template = request
      let label = endpoint.url
      return LogDelivery(label: label) { entries, loop in
        var request = template
        request.body = Self.payload(entries, asList: sendsList)
        return services.outbound.send(request, on: loop).flatMapThrowing { response in
          guard response.status < 300 else {
            let body = String(decoding: response.body.readableBytesView.prefix(1000), as: UTF8.self)
            throw LogDeliveryError(
              description: "request to \(label) returned status code \(response.status) and body \(body)")
          }
        }
      }
    }

    /// A single entry as it is, or a list of entries.
    private static func payload(_ entries: [ByteBuffer], asList: Bool) -> ByteBuffer {
      if !asList, entries.count == 1 { return entries[0] }
      var payload = ByteBuffer()
      payload.reserveCapacity(entries.reduce(2) { $0 + $1.readableBytes + 1 })
      payload.writeInteger(UInt8(ascii: "["))
      for (index, entry) in entries.enumerated() {
        if index > 0 { payload.writeInteger(UInt8(ascii: ",")) }
        payload.writeImmutableBuffer(entry)
      }
      payload.writeInteger(UInt8(ascii: "]"))
      return payload
    }
  }
}
