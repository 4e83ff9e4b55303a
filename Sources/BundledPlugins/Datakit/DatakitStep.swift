import EntityModel
import Foundation
import JQ
import NIOCore
import PluginKit

/// What each kind of node does once its inputs are there.
enum DatakitStep {
  /// Begins a node; it calls `complete`, `fail`, `exit` or `skip` of the run, now or later.
  static func begin(
    _ operation: DatakitOperation, _ inputs: DatakitInputs, _ index: Int, _ run: DatakitRun
  ) throws(DatakitFailure) {
    let context = run.context
    switch operation {
    case .request(let wanted): readRequest(wanted, index, run)
    case .serviceRequest:
      try changeServiceRequest(inputs.all, context)
      run.complete(index)
    case .serviceResponse(let wanted): run.complete(index, try serviceResponse(wanted, context))
    case .response:
      // A trace takes the place of what this would change.
      if run.isTracing {
        run.skipSelf(index)
      } else {
        try changeResponse(inputs.all, context)
        run.complete(index)
      }
    case .constants(let values): run.complete(index, values)
    case .branch(let then, let otherwise):
      guard case .json(.bool(let condition)) = inputs.value else {
        throw DatakitFailure("a branch needs a boolean, got \(inputs.value.kind)")
      }
      run.skip(condition ? otherwise : then)
      run.complete(index)
    case .cache(let settings): run.complete(index, try useCache(settings, inputs.all, run))
    case .call(let call): try send(call, inputs.all, index, run)
    case .exit(let status):
      try exit(status, inputs.all, context, isAfterResponse: run.plan.nodes[index].isAfterResponse)
      run.exit(index)
    case .jq(let program): query(program, inputs.value, index, run)
    case .jwtDecode: run.complete(index, try DatakitToken.decode(inputs.value))
    case .jwtSign(let signing):
      let now = Date().timeIntervalSince1970.rounded(.down)
      run.complete(
        index, try signing.sign(claims: inputs.all[0], key: inputs.all[1], now: Int64(exactly: now) ?? 0))
    case .jwtVerify(let verification):
      run.complete(
        index,
        try verification.verify(token: inputs.all[0], key: inputs.all[1], now: Date().timeIntervalSince1970))
    case .property(let property, let contentType, let isRequired):
      if property.isSet {
        let value = try writing(inputs.value, as: contentType)
        if isRequired, value.isNil { throw DatakitFailure("the value is nil") }
        try property.write(value, context, run.pluginValues)
        run.complete(index, [inputs.value])
      } else {
        let value = try reading(property.read(context, run.pluginValues), as: contentType)
        if isRequired, value.isNil { throw DatakitFailure("the value is nil") }
        run.complete(index, [value])
      }
    }
  }

  // MARK: Request

  private static func readRequest(_ wanted: [Bool], _ index: Int, _ run: DatakitRun) {
    let context = run.context
    guard wanted[0], context.requestBody.bytes == nil else { return giveRequest(wanted, index, run) }
    run.wait()
    context.driver.readRequestBody(context) { result in
      guard run.woke() else { return }
      switch result {
      case .success: giveRequest(wanted, index, run)
      case .failure: run.abandon()
      }
    }
  }

  private static func giveRequest(_ wanted: [Bool], _ index: Int, _ run: DatakitRun) {
    let context = run.context
    func text(_ place: Int, _ value: @autoclosure () -> String) -> DatakitValue {
      wanted[place] ? .json(.string(value())) : .none
    }
    do throws(DatakitFailure) {
      let body =
        wanted[0]
        ? try DatakitBodies.decoded(
          context.requestBody.bytes ?? ByteBuffer(), contentType: context.requestHeaders.first("content-type"),
          of: "request")
        : .none
      run.complete(
        index,
        [
          body, wanted[1] ? .json(DatakitHeaders.value(context.requestHeaders)) : .none,
          wanted[2] ? .json(Arguments(queryOf: context).json) : .none,
          text(3, String(decoding: context.normalizedPath, as: UTF8.self)),
          text(4, context.withRawPath { String(decoding: $0, as: UTF8.self) }),
          wanted[5] ? .json(.integer(Int64(context.publishedPort ?? context.localPort))) : .none,
          text(6, context.method.name), text(7, context.scheme),
          text(8, context.httpVersion == 20 ? "2" : "\(context.httpVersion / 10).\(context.httpVersion % 10)"),
        ])
    } catch {
      run.fail(index, error)
    }
  }

  /// Inputs: body, headers, query.
  private static func changeServiceRequest(
    _ inputs: [DatakitValue], _ context: RequestContext
  ) throws(DatakitFailure) {
    if !inputs[1].isNil {
      for change in try DatakitHeaders.changes(inputs[1]) where !DatakitHeaders.isFraming(change.name) {
        if change.name.lowercased() == "host" {
          guard let host = change.values.first else { continue }
          if context.hostBeforeChange == nil { context.hostBeforeChange = context.host }
          context.requestHeaders.set("Host", host)
          context.upstream.hostHeader = host
          continue
        }
        context.requestHeaders.remove(change.name)
        for value in change.values { context.requestHeaders.add(change.name, value) }
      }
    }
    if let query = DatakitBodies.query(inputs[2]) { context.queryOverride = query }
    let declared =
      DatakitHeaders.mentions("content-type", inputs[1])
      ? context.requestHeaders.first("content-type") : nil
    guard let body = DatakitBodies.encoded(inputs[0], contentType: declared) else { return }
    context.requestBody = .replaced(body.bytes)
    context.requestHeaders.set("Content-Length", String(body.bytes.readableBytes))
    if let type = body.contentType, declared == nil { context.requestHeaders.set("Content-Type", type) }
  }

  // MARK: Response

  private static func serviceResponse(
    _ wanted: [Bool], _ context: RequestContext
  ) throws(DatakitFailure) -> [DatakitValue] {
    let headers = context.response.upstreamHeaders ?? context.response.headers
    let body = context.response.bufferedBody ?? ByteBuffer()
    return [
      wanted[0]
        ? try DatakitBodies.decoded(body, contentType: headers.first("content-type"), of: "service response") : .none,
      wanted[1] ? .json(DatakitHeaders.value(headers)) : .none,
      .json(.integer(Int64(context.response.upstreamStatus ?? context.response.status))),
      wanted[3] && body.readableBytes > 0 ? .bytes(body) : .none,
    ]
  }

  /// Inputs: body, headers.
  private static func changeResponse(_ inputs: [DatakitValue], _ context: RequestContext) throws(DatakitFailure) {
    try DatakitHeaders.apply(inputs[1], to: &context.response.headers)
    let declared =
      DatakitHeaders.mentions("content-type", inputs[1])
      ? context.response.headers.first("content-type") : nil
    guard let body = DatakitBodies.encoded(inputs[0], contentType: declared) else { return }
    if let type = body.contentType, declared == nil { context.response.headers.set("Content-Type", type) }
    context.response.headers.remove("Content-Length")
    if !DatakitHeaders.mentions("content-encoding", inputs[1]) { context.response.headers.remove("Content-Encoding") }
    if let held = context.response.bufferedBody, held.readableBytes > 0 {
      context.response.bufferedBody = body.bytes
    } else {
      // The service sent no body to put another one in place of.
      context.earlyResponse = EarlyResponse(
        status: context.response.status, body: body.bytes, source: context.response.source)
    }
  }

  /// Inputs: body, headers.
  private static func exit(
    _ status: Int, _ inputs: [DatakitValue], _ context: RequestContext, isAfterResponse: Bool
  ) throws(DatakitFailure) {
    let changes = try DatakitHeaders.changes(inputs[1])
    if isAfterResponse { context.response.headers.removeAll() }
    for change in changes where !DatakitHeaders.isFraming(change.name) {
      context.response.headers.remove(change.name)
      for value in change.values { context.response.headers.add(change.name, value) }
    }
    let declared = changes.first { $0.name.lowercased() == "content-type" }?.values.first
    let body = DatakitBodies.encoded(inputs[0], contentType: declared)
    context.earlyResponse = EarlyResponse(
      status: status, body: body?.bytes,
      headers: declared == nil ? body?.contentType.map { [("Content-Type", $0)] } ?? [] : [])
  }

  // MARK: Calls and programs

  private static func send(
    _ call: DatakitCall, _ inputs: [DatakitValue], _ index: Int, _ run: DatakitRun
  ) throws(DatakitFailure) {
    let request = try call.request(
      inputs, requiresVerification: run.context.loop.node.configuration["tls_certificate_verify"] == true)
    run.wait()
    run.executor.outbound.send(request, on: run.context.driver.eventLoop).assumeIsolated().whenComplete { result in
      guard run.woke() else { return }
      do throws(DatakitFailure) {
        switch result {
        case .failure(let error): throw DatakitFailure(String(describing: error))
        case .success(let response):
          guard (200..<300).contains(response.status) else {
            throw DatakitFailure("non-2XX response code: \(response.status)")
          }
          run.complete(index, try DatakitCall.outputs(response))
        }
      } catch {
        run.fail(index, error)
      }
    }
  }

  private static func query(_ program: JQProgram, _ input: DatakitValue, _ index: Int, _ run: DatakitRun) {
    run.wait()
    let loop = run.context.driver.eventLoop
    let bound = NIOLoopBound(run, eventLoop: loop)
    // The texts of input and result are made and read on the program's thread.
    program.run({ input.json.serialized() }, milliseconds: DatakitExecutor.jqMilliseconds) { result in
      let value: Result<DatakitValue, DatakitFailure>
      switch result {
      case .failure(let error): value = .failure(DatakitFailure(error.description))
      case .success(nil): value = .success(.none)
      case .success(let bytes?):
        do throws(JSONError) {
          value = .success(.json(try JSONValue(parsing: bytes)))
        } catch {
          value = .failure(DatakitFailure("the result cannot be used: \(error.reason)"))
        }
      }
      loop.execute {
        let run = bound.value
        guard run.woke() else { return }
        switch value {
        case .success(let value): run.complete(index, [value])
        case .failure(let failure): run.fail(index, failure)
        }
      }
    }
  }

  // MARK: Cache

  /// Outputs: hit, miss, stored, data.
  private static func useCache(
    _ settings: DatakitCacheSettings, _ inputs: [DatakitValue], _ run: DatakitRun
  ) throws(DatakitFailure) -> [DatakitValue] {
    let data = inputs[DatakitCacheSettings.InputPlace.data]
    guard let text = inputs[DatakitCacheSettings.InputPlace.key].text, !text.isEmpty else {
      if settings.bypassesErrors { return [.json(false), .json(true), .json(false), data] }
      throw DatakitFailure("there is no cache key")
    }
    let key = "\(run.executor.instance.id):\(text)"
    let now = ContinuousClock.now
    if data.isNil {
      let found = DatakitCache.shared.value(forKey: key, at: now)
      return [.json(.bool(found != nil)), .json(.bool(found == nil)), .json(false), found ?? .none]
    }
    do throws(DatakitFailure) {
      try DatakitCache.shared.store(
        data, forKey: key,
        seconds: inputs[DatakitCacheSettings.InputPlace.timeToLive].json.double ?? settings.timeToLive, at: now)
      return [.json(false), .json(false), .json(true), data]
    } catch {
      if settings.bypassesErrors { return [.json(false), .json(false), .json(false), data] }
      throw error
    }
  }

  // MARK: Properties

  private static func reading(_ value: DatakitValue, as type: String?) throws(DatakitFailure) -> DatakitValue {
    guard let type, !value.isNil else { return value }
    if type == "application/json" {
      guard let text = value.text else { return value }
      do {
        return .json(try JSONValue(parsing: text))
      } catch {
        throw DatakitFailure("the value is not valid JSON: \(error.reason)")
      }
    }
    return value.text.map { .json(.string($0)) } ?? .json(.string(value.json.serializedString))
  }

  private static func writing(_ value: DatakitValue, as type: String?) throws(DatakitFailure) -> DatakitValue {
    guard let type, !value.isNil else { return value }
    if type == "application/json" { return .json(.string(value.json.serializedString)) }
    guard let text = value.text else { throw DatakitFailure("expected a string for \(type), got \(value.kind)") }
    return .json(.string(text))
  }
}
