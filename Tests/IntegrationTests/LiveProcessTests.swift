import Testing

/// Every test that starts processes, one after another: they measure time and use all cores by themselves.
@Suite(.serialized) enum LiveProcessTests {}
