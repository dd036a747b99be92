import "downhill/web/worker";
