/// `kong.cache`: made in the prelude over shared dictionaries. Source: Kong fact, pdk §6.
///
/// Kong compatibility: the values belong to one version of one plugin, on all event loops of the process.
enum CacheNamespace {
  static let functions: [PDKFunction] = []

  static let declarations: [PreludeFunction] = [
    PreludeFunction(
      "kong.cache.get", level: .lax, arguments: "key, options, callback, ...",
      "The value of a key; the callback makes it where it is missing. Also the level that had it (1 to 4)."),
    PreludeFunction(
      "kong.cache.get_bulk", level: .lax, arguments: "bulk, options",
      "Several values: key, options, callback, argument each."),
    PreludeFunction("kong.cache.probe", level: .lax, arguments: "key", "Remaining time, error and value of a key."),
    PreludeFunction("kong.cache.invalidate", level: .lax, arguments: "key", "Forgets a key on this node."),
    PreludeFunction("kong.cache.invalidate_local", level: .lax, arguments: "key", "Forgets a key on this node."),
    PreludeFunction("kong.cache.safe_set", level: .lax, arguments: "key, value", "Sets the value of a key."),
    PreludeFunction(
      "kong.cache.renew", level: .lax, arguments: "key, options, callback, ...", "Makes the value of a key anew."),
    PreludeFunction("kong.cache.purge", level: .on, "Forgets every key."),
  ]
}
