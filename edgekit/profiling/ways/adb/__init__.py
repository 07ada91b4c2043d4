"""Android devices through the adb of this system."""
