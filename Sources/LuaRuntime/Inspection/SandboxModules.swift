/// The modules that the handler of a streamed plugin may require.
public enum SandboxModules {
  /// What the strict sandbox offers and the runtime provides.
  ///
  /// Kong compatibility: Kong's list is longer; a module of it that the runtime does not provide is refused when the
  /// plugin is saved, not when it runs.
  public static let strict = [
    "bit", "cjson", "cjson.safe", "kong.constants", "kong.meta", "kong.tools.cjson", "kong.tools.ip",
    "kong.tools.rand", "kong.tools.sha256", "kong.tools.string", "kong.tools.table", "kong.tools.time",
    "kong.tools.timestamp", "kong.tools.uri", "kong.tools.uuid", "ngx.base64", "ngx.re", "ngx.resp",
    "ngx.semaphore", "pl.stringx", "pl.tablex", "resty.jit-uuid", "resty.md5",
    "resty.random", "resty.sha1", "resty.sha256", "resty.sha384", "resty.sha512", "resty.string", "table.clear",
    "table.clone", "table.isarray", "table.isempty", "table.new", "table.nkeys",
  ]
}
