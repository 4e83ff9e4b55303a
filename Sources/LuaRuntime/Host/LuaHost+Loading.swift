import CLuaBridge
import EntityModel
import PluginKit

/// How chunks, scripts and configurations come into the state.
extension LuaHost {
  static let sandboxIsOff =
    "loading of untrusted Lua code disabled because 'untrusted_lua' config option is set to 'off'"

  /// Names a version of a plugin: its text counts, not only its name.
  private static func scope(of plugin: String, _ text: String) -> String {
    "\(plugin)#\(UInt(bitPattern: text.hashValue))"
  }

  /// Makes an environment of its own and loads a chunk into it; gives the reference of the chunk's function.
  func load(chunk text: String, named name: String, _ tenant: LuaTenant) throws(PluginCompileError) -> Int32 {
    let plugin = tenant.plugin
    raw.pointee.account = tenant.account
    defer { raw.pointee.account = 0 }
    guard settings.sandbox != .off else {
      throw PluginCompileError(plugin: plugin, reason: Self.sandboxIsOff)
    }
    let environment = slu_host_call_member(
      raw, prelude, "environment", settings.sandbox.rawValue, Self.scope(of: plugin, text))
    guard environment != luaNoReference else {
      throw PluginCompileError(plugin: plugin, reason: Self.errorMessage(raw))
    }
    defer { slu_host_release(raw, environment) }
    var text = text
    let function = text.withUTF8 { slu_host_load(raw, environment, name, $0.baseAddress, $0.count, tenant.isTrusted) }
    guard function != luaNoReference else {
      throw PluginCompileError(plugin: plugin, reason: Self.errorMessage(raw))
    }
    return function
  }

  /// Compiles the Lua texts of each phase in one environment; gives the reference of a table with one function per
  /// phase, which runs its texts in order.
  func load(functions phases: [String: JSONValue], _ tenant: LuaTenant) throws(PluginCompileError) -> Int32 {
    let plugin = tenant.plugin
    raw.pointee.account = tenant.account
    defer { raw.pointee.account = 0 }
    slu_clear_results(callMemory)
    LuaCall(raw: callMemory, host: self).returns(.object(phases))
    let table = slu_host_call_with_result(raw, prelude, "functions", settings.sandbox.rawValue, plugin)
    guard table != luaNoReference else {
      throw PluginCompileError(plugin: plugin, reason: Self.errorMessage(raw))
    }
    return table
  }

  /// Compiles Lua texts of a configuration; gives the reference of a table of functions `script1`, `script2` and so on,
  /// which take and give their values by way of `exchange`.
  func load(scripts texts: [String], returnFunctions: Bool, _ tenant: LuaTenant) throws(PluginCompileError) -> Int32 {
    let plugin = tenant.plugin
    raw.pointee.account = tenant.account
    defer { raw.pointee.account = 0 }
    slu_clear_results(callMemory)
    let call = LuaCall(raw: callMemory, host: self)
    call.returns(.array(texts.map { .string($0) }))
    call.returns(returnFunctions)
    let table = slu_host_call_with_result(raw, prelude, "scripts", settings.sandbox.rawValue, plugin)
    guard table != luaNoReference else {
      throw PluginCompileError(plugin: plugin, reason: Self.errorMessage(raw))
    }
    return table
  }

  /// Runs a loaded chunk once, outside of any request, and keeps what it returns if that is a table or function.
  ///
  /// - Parameter argument: Reference of what the chunk finds in `...`.
  func evaluate(
    _ function: Int32, argument: Int32 = luaNoReference, _ tenant: LuaTenant
  ) throws(PluginCompileError) -> Int32 {
    let plugin = tenant.plugin
    loadingTenant = tenant
    enter(nil, .initWorker, key: 0, plugin: plugin)
    raw.pointee.is_loading = true
    defer {
      raw.pointee.is_loading = false
      loadingTenant = nil
      leave()
    }
    var kept = luaNoReference
    let start = isTraced ? Self.processorTime() : 0
    let status = slu_host_start(raw, function, luaNoReference, argument, &kept)
    if isTraced, let trace = settings.trace { traceEnd(status, plugin: plugin, since: start, trace) }
    guard status == Int32(SLU_RUN_FINISHED) else {
      if status == Int32(SLU_RUN_WAITING) { slu_host_abandon(raw, raw.pointee.running) }
      countFailure(tenant, phase: "load")
      throw PluginCompileError(
        plugin: plugin,
        reason: status == Int32(SLU_RUN_FAILED) ? Self.errorMessage(raw) : "a plugin cannot wait while it is loaded")
    }
    return kept
  }

  /// The reference of a text in the state.
  func keep(text: String) -> Int32 {
    slu_clear_results(callMemory)
    LuaCall(raw: callMemory, host: self).returns(text)
    return slu_host_keep_result(raw)
  }

  func function(_ name: String, of table: Int32) -> Int32 { slu_host_function_member(raw, table, name) }

  /// Makes a Lua table of a configuration: nulls left out, and what Kong adds to each instance's.
  func keep(
    configurationOf instance: PluginInstance, schema: PluginSchema? = nil
  ) throws(PluginCompileError) -> Int32 {
    var members = resolved(instance.config, by: schema, of: instance.pluginName).object ?? [:]
    members["__plugin_id"] = .string(instance.id)
    members["plugin_instance_name"] = instance.instanceName.map { .string($0) }
    members["route_id"] = instance.routeID.map { .string($0) }
    members["service_id"] = instance.serviceID.map { .string($0) }
    members["consumer_id"] = instance.consumerID.map { .string($0) }
    members["consumer_group_id"] = instance.consumerGroupID.map { .string($0) }
    slu_clear_results(&raw.pointee.call)
    LuaCall(raw: callMemory, host: self).returns(.object(members))
    let reference = slu_host_keep_result(raw)
    guard reference != luaNoReference else {
      throw PluginCompileError(plugin: instance.pluginName, reason: Self.errorMessage(raw))
    }
    return reference
  }

  func release(_ reference: Int32) { slu_host_release(raw, reference) }
}
