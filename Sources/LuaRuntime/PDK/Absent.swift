/// Functions of Kong that make no sense in this gateway: they exist, and raise a sentence.
///
/// Source: Kong fact, pdk §4 and §6.
enum AbsentNamespace {
  static let declarations: [PreludeFunction] = [
    "get_frame", "set_frame_data", "set_status", "drop_frame", "close", "set_max_payload_size",
  ].flatMap { name in
    ["client", "upstream"].map { side in
      PreludeFunction(
        "kong.websocket.\(side).\(name)", level: .lax, arguments: "...",
        "Raises: frames of WebSocket connections pass unread.")
    }
  } + ["decrypt", "decode", "encrypt"].map { name in
    PreludeFunction("kong.jwe.\(name)", arguments: "...", "Raises: encrypted tokens are not supported.")
  }
}
