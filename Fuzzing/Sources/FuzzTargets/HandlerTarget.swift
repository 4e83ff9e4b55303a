import EntityModel
import LuaRuntime
import PluginKit

/// The text of a handler: inspected as when it is stored, and, if it passes, loaded and run in every phase.
struct HandlerTarget {
  private static let schema = "return {name = \"probe\", fields = {{config = {type = \"record\", fields = {}}}}}"
  private let inspector = LuaPluginInspector(limits: .init(time: .milliseconds(5), memoryBytes: 8 << 20))
  private let bench = LuaBench(cpuMilliseconds: 5)

  func run(_ bytes: UnsafeRawBufferPointer) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard (try? inspector.inspect(name: "probe", schema: Self.schema, handler: text)) != nil,
      let (executor, instance) = bench.plugin("probe", text)
    else { return }
    bench.run(executor, instance, [.rewrite, .access, .headerFilter, .bodyFilter, .log])
  }
}
