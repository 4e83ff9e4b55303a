/// What can be fuzzed.
enum FuzzTarget: String, CaseIterable {
  case handler, schema, pdk, condition, http, response

  /// Makes what the target needs once; the function takes one input.
  func start() -> (UnsafeRawBufferPointer) -> Void {
    switch self {
    case .handler:
      let target = HandlerTarget()
      return { target.run($0) }
    case .schema:
      let target = SchemaTarget()
      return { target.run($0) }
    case .pdk:
      let target = PluginAPITarget()
      return { target.run($0) }
    case .condition: return ConditionTarget.run
    case .http: return { HTTPTarget.run($0, HTTPTarget.readRequest) }
    case .response: return { HTTPTarget.run($0, HTTPTarget.readResponse) }
    }
  }
}
