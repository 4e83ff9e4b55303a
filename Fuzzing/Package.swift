// swift-tools-version: 6.2
// libFuzzer over the parts that read hostile text: see README.md beside this file.
import Foundation
import PackageDescription

/// Where the toolchain keeps libFuzzer without a `main` of its own; `scripts/fuzz` says it.
let fuzzerLibrary = Context.environment["SLUICE_FUZZING"] ?? ""

let package = Package(
  name: "sluice-fuzzing",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(name: "sluice", path: ".."),
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
  ],
  targets: [
    .target(name: "CLibFuzzer"),
    .executableTarget(
      name: "sluice-fuzz",
      dependencies: [
        "CLibFuzzer", .product(name: "SluiceParts", package: "sluice"),
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
      ],
      path: "Sources", exclude: ["CLibFuzzer"], sources: ["FuzzTargets", "sluice-fuzz"], swiftSettings: [.swiftLanguageMode(.v6)],
      linkerSettings: [
        .unsafeFlags(["-sanitize=address", fuzzerLibrary]), .linkedLibrary("stdc++"),
      ]),
  ]
)
