// swift-tools-version: 6.2
// The rooms of the house and which way they may look: see docs/architecture.md.
// `LayerTests` holds the layers of that page against this manifest.
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6)
]

/// Of the targets whose every object is confined to one event loop. The compiler proves what it can in every build; what
/// is left for the run time is checked in debug builds, that is in all tests, and not once more for each request: those
/// checks, most of them of byte buffers, were a sixteenth of its instructions.
let confined: [SwiftSetting] =
  settings + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

/// The released program holds Swift's libraries itself: of them only what it uses comes into memory, and calls of the
/// runtime go straight there. Packed relocations and read-only data apart from code halve what the start touches; see
/// "Memory of an idle worker" in docs/performance.md.
let compactProgram: [LinkerSetting] = [
  .unsafeFlags(
    [
      "-static-stdlib", "-use-ld=lld", "-Xlinker", "--no-export-dynamic",
      "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs",
      "-lFoundation", "-lCoreFoundation", "-l_FoundationICU", "-l_FoundationCShims", "-l_FoundationCollections",
      "-lFoundationInternationalization", "-lFoundationEssentials", "-ldispatch", "-lBlocksRuntime",
    ], .when(platforms: [.linux], configuration: .release))
]

let package = Package(
  name: "sluice",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "sluice", targets: ["sluice"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.0"),
    .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.0"),
    .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.0"),
    .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
  ],
  targets: [
    // Layer 0: C libraries, and the Swift faces of RE2, zlib and jq.
    .systemLibrary(name: "CLuaJIT", pkgConfig: "luajit", providers: [.apt(["libluajit2-5.1-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CLuaBridge", dependencies: ["CLuaJIT"], linkerSettings: [.linkedLibrary("pcre2-8")]),
    .target(name: "CCrypto", linkerSettings: [.linkedLibrary("crypto")]),
    .target(name: "CRegex", linkerSettings: [.linkedLibrary("re2")]),
    .target(name: "CEpoll"),
    .target(name: "Patterns", dependencies: ["CRegex"], swiftSettings: settings),
    .target(name: "Zlib", dependencies: ["CZlib"], swiftSettings: settings),
    .target(name: "CJQ", linkerSettings: [.linkedLibrary("jq"), .linkedLibrary("onig")]),
    .target(name: "JQ", dependencies: ["CJQ"], swiftSettings: settings),

    // Layer 1: pure values, and the transport.
    .target(
      name: "EpollTransport", dependencies: ["CEpoll", .product(name: "NIOCore", package: "swift-nio")],
      swiftSettings: confined),
    .target(name: "Expressions", dependencies: ["Patterns"], swiftSettings: settings),
    .target(
      name: "EntityModel",
      dependencies: [
        "Patterns",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "_CryptoExtras", package: "swift-crypto"),
        .product(name: "X509", package: "swift-certificates"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
      ],
      swiftSettings: settings),

    // Layer 2: what the parts of layer 3 share.
    .target(
      name: "Routing", dependencies: ["Patterns", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .target(
      name: "PluginKit",
      dependencies: [
        "EntityModel", "Expressions", "CLuaBridge",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    .target(
      name: "Storage",
      dependencies: [
        "EntityModel", "Zlib",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Yams", package: "Yams"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),

    // Layer 3: the parts; they never import one another.
    .target(
      name: "LuaRuntime",
      dependencies: [
        "CLuaJIT", "CLuaBridge", "CCrypto", "CZlib", "PluginKit", "EntityModel", "EpollTransport",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOTLS", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: settings),
    .target(
      name: "BundledPlugins",
      dependencies: [
        "PluginKit", "EntityModel", "Expressions", "CLuaBridge", "JQ", "Patterns", "Zlib",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "_CryptoExtras", package: "swift-crypto"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    .target(
      name: "Proxy",
      dependencies: [
        "PluginKit", "Routing", "EntityModel", "Expressions", "EpollTransport",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOTLS", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: confined),
    .target(
      name: "Outbound",
      dependencies: [
        "PluginKit",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOTLS", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: settings),
    .target(
      name: "Clustering",
      dependencies: [
        "EntityModel", "Storage", "Zlib",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOWebSocket", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "X509", package: "swift-certificates"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    .target(
      name: "AdminAPI",
      dependencies: [
        "EntityModel", "Storage",
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HummingbirdTLS", package: "hummingbird"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),

    // Layer 4: composition root.
    .target(
      name: "Gateway",
      dependencies: [
        "EntityModel", "Expressions", "Routing", "PluginKit", "Storage", "LuaRuntime", "BundledPlugins", "Proxy",
        "Outbound", "Clustering", "AdminAPI", "EpollTransport",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),

    // Layer 5: the command line.
    .executableTarget(
      name: "sluice",
      dependencies: ["Gateway", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      swiftSettings: settings, linkerSettings: compactProgram),

    // Tests.
    .target(
      name: "GatewayTesting",
      dependencies: [
        "EntityModel",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      path: "Tests/GatewayTesting", swiftSettings: settings),
    .testTarget(
      name: "EpollTransportTests",
      dependencies: ["EpollTransport", "GatewayTesting", .product(name: "NIOSSL", package: "swift-nio-ssl")],
      swiftSettings: settings),
    .testTarget(name: "PatternsTests", dependencies: ["Patterns"], swiftSettings: settings),
    .testTarget(name: "JQTests", dependencies: ["JQ"], swiftSettings: settings),
    .testTarget(name: "ExpressionsTests", dependencies: ["Expressions"], swiftSettings: settings),
    .testTarget(name: "EntityModelTests", dependencies: ["EntityModel"], swiftSettings: settings),
    .testTarget(name: "RoutingTests", dependencies: ["Routing"], swiftSettings: settings),
    .testTarget(name: "StorageTests", dependencies: ["Storage"], swiftSettings: settings),
    .testTarget(
      name: "LuaRuntimeTests",
      dependencies: [
        "LuaRuntime", .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "BundledPluginsTests",
      dependencies: [
        "BundledPlugins", "LuaRuntime", "Outbound", "Zlib", "GatewayTesting",
        .product(name: "NIOEmbedded", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "ProxyTests",
      dependencies: [
        "Proxy", "LuaRuntime", "GatewayTesting", .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "OutboundTests",
      dependencies: ["Outbound", "GatewayTesting", .product(name: "NIOPosix", package: "swift-nio")],
      swiftSettings: settings),
    .testTarget(name: "ClusteringTests", dependencies: ["Clustering", "Zlib", "GatewayTesting"], swiftSettings: settings),
    .testTarget(
      name: "AdminAPITests",
      dependencies: [
        "AdminAPI", "GatewayTesting", .product(name: "HummingbirdTesting", package: "hummingbird"),
      ],
      swiftSettings: settings),
    .testTarget(name: "GatewayTests", dependencies: ["Gateway", "GatewayTesting"], swiftSettings: settings),
    .testTarget(name: "IntegrationTests", dependencies: ["GatewayTesting"], swiftSettings: settings),
    // The fuzzers' targets over their seeds, so that they build and pass without libFuzzer too.
    .testTarget(
      name: "FuzzTests",
      dependencies: ["LuaRuntime", "Proxy", "PluginKit", .product(name: "NIOEmbedded", package: "swift-nio")],
      path: "Fuzzing", exclude: ["Package.swift", "README.md", "corpus", "dictionaries", "Sources/CLibFuzzer", "Sources/sluice-fuzz"],
      sources: ["Sources/FuzzTargets", "Tests"], swiftSettings: settings),
  ],
  cxxLanguageStandard: .cxx17
)

// `make fuzz` builds the parts that read hostile text with the instrumentation of libFuzzer: see Fuzzing/.
if Context.environment["SLUICE_FUZZING"] != nil {
  let fuzzed = ["LuaRuntime", "CLuaBridge", "Expressions", "EntityModel", "PluginKit", "Proxy"]
  package.products.append(.library(name: "SluiceParts", targets: fuzzed))
  for target in package.targets where fuzzed.contains(target.name) {
    target.cSettings = [.unsafeFlags(["-fsanitize=fuzzer-no-link,address", "-O1", "-g"])]
    target.swiftSettings = settings + [.unsafeFlags(["-sanitize=fuzzer,address", "-O"])]
  }
}
