"""The outside that receives: HTTP requests to addresses that strangers chose."""
