"""What sources that go on by themselves share: cameras, streams and microphones."""
