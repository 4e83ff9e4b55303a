/// Functions of nginx's Lua module that have nothing to work on in this gateway: they exist where Kong has them, and
/// raise a sentence that names them. Source: Kong fact, pdk §7 and §8.
enum NginxAbsentNamespace {
  static let functions: [PDKFunction] = [
    absent("ngx.location.capture", .lax, "uri, options", "there are no nginx locations; use resty.http"),
    absent("ngx.location.capture_multi", .lax, "requests", "there are no nginx locations; use resty.http"),
    absent("ngx.exec", .on, "uri, args", "there are no nginx locations; use kong.service or ngx.redirect"),
    absent("ngx.req.set_body_file", .lax, "path", "plugins have no file system; use kong.service.request.set_raw_body"),
    absent("ngx.req.socket", .strict, "", "the body is not read piece by piece; use kong.request.get_raw_body"),
  ]

  private static func absent(
    _ name: String, _ level: PDKFunction.Level, _ arguments: String, _ reason: String
  ) -> PDKFunction {
    PDKFunction(name, .any, level: level, arguments: arguments, "Raises: \(reason).") { (call) throws(LuaFault) in
      throw LuaFault("\(name) is not available here: \(reason)")
    }
  }
}
